"""What a person may decide about a local stack, from the environment and ``.env``; never from what another stack has written down."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import BaseModel, Field, SecretStr
from pydantic_core import to_json
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from hub.settings import Settings


class GivenSettings(Settings):
    """The hub's settings without ``stack.json``: what a stack that starts has to go by."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Environment, then ``.env``."""
        del settings_cls, file_secret_settings
        return init_settings, env_settings, dotenv_settings

    def as_environment(self) -> dict[str, str]:
        """Every setting that somebody has set, as environment variables for the processes of the stack."""
        set_by_somebody = {name: getattr(self, name) for name in self.model_fields_set}
        return {f"HUB_{name.upper()}": _as_text(value) for name, value in set_by_somebody.items() if value is not None}


def _as_text(value: Any) -> str:
    """Return a setting as the environment has it: what is more than a word or a number is JSON there."""
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return to_json(value).decode() if isinstance(value, BaseModel | tuple | dict) else str(value)


class StackSettings(BaseSettings):
    """Settings under their own names: Prefect's that `hub up` obeys, and the official keys of the providers."""

    model_config: ClassVar[SettingsConfigDict] = SettingsConfigDict(
        env_file=".env", env_ignore_empty=True, extra="ignore", hide_input_in_errors=True
    )

    prefect_server_api_port: int = Field(default=4200, gt=0, lt=65536, description="Port of Prefect's server and UI.")
    prefect_server_database_connection_url: str | None = Field(
        default=None, description="PostgreSQL for Prefect; default: the database `prefect` beside the hub's."
    )
    hub_worker_type: Literal["hub-warm", "process"] = Field(default="hub-warm", description="Kind of the stack's worker and work pool.")
    hub_worker_processes: int = Field(default=1, ge=1, description="Processes of the warm worker, for several cores.")
    stripe_api_key: SecretStr | None = Field(default=None, min_length=8, description="Secret or restricted key of the Stripe account.")
    sendgrid_api_key: SecretStr | None = Field(default=None, min_length=8, description="Key with the permission to send mail.")
    shippo_api_key: SecretStr | None = Field(default=None, min_length=8, description="Shippo token.")
    slack_bot_token: SecretStr | None = Field(default=None, min_length=8, description="Bot token with chat:write and channels:history.")
    twilio_auth_token: SecretStr | None = Field(default=None, min_length=8, description="Auth token of the Twilio account.")
    twilio_account_sid: str | None = Field(default=None, description="SID of the Twilio account.")
    twilio_from_number: str | None = Field(default=None, description="Number that the texts come from.")
    twilio_messaging_service_sid: str | None = Field(default=None, description="Messaging service, instead of a number.")
    profile_service_key: SecretStr | None = Field(default=None, min_length=8, description="Key of the company's user-profile service.")
    github_token: SecretStr | None = Field(default=None, min_length=8, description="Token for the deployments of our repositories.")
    github_hooks: str | None = Field(
        default=None, description="Webhooks whose missed deliveries are asked for again: owner/name/hook-id, comma-separated."
    )
    warehouse_signing_secret: SecretStr | None = Field(
        default=None, min_length=8, description="What pick tickets to the company's warehouse are signed with."
    )
    warehouse_url: str | None = Field(default=None, description="Address of the warehouse, without /pick-tickets.")
    profile_service_url: str | None = Field(default=None, description="Address of the profile service, without /profiles.")

    stripe_webhook_secret: SecretStr | None = Field(default=None, min_length=8, description="Signing secret of the Stripe endpoint.")
    sendgrid_webhook_public_key: SecretStr | None = Field(default=None, min_length=8, description="Public key of SendGrid's event webhook.")
    shippo_webhook_secret: SecretStr | None = Field(default=None, min_length=8, description="HMAC secret agreed with Shippo.")
    slack_signing_secret: SecretStr | None = Field(default=None, min_length=8, description="Signing secret of the Slack app.")
    github_webhook_secret: SecretStr | None = Field(default=None, min_length=8, description="Secret of GitHub's webhooks.")
    custom_webhook_secret: SecretStr | None = Field(default=None, min_length=8, description="Secret of the company's own systems.")

    def webhook_secrets(self) -> dict[str, str]:
        """What webhooks are verified with, as far as it was given, by sender. Twilio signs with the account's auth token."""
        given = {sender: getattr(self, variable.lower()) for sender, variable in WEBHOOK_VARIABLES.items()}
        return {sender: secret.get_secret_value() for sender, secret in given.items() if secret is not None}

    def provider_keys(self) -> dict[str, str]:
        """The official keys that were given, by provider."""
        given = {
            "stripe": self.stripe_api_key,
            "sendgrid": self.sendgrid_api_key,
            "shippo": self.shippo_api_key,
            "slack": self.slack_bot_token,
            "twilio": self.twilio_auth_token,
            "profiles": self.profile_service_key,
            "github": self.github_token,
            "warehouse": self.warehouse_signing_secret,
        }
        return {provider: key.get_secret_value() for provider, key in given.items() if key is not None}

    def provider_fields(self) -> dict[str, dict[str, Any]]:
        """
        What else was given of the accounts, by provider.

        A sender takes the place of an earlier one of either kind; profile service and warehouse are where somebody says they are.
        """
        sender = {"from_number": self.twilio_from_number, "messaging_service_sid": self.twilio_messaging_service_sid}
        twilio = {} if self.twilio_account_sid is None else {"account_sid": self.twilio_account_sid}
        ours = {"profiles": self.profile_service_url, "warehouse": self.warehouse_url}
        found = {name: {} if url is None else {"base_url": url, "allow_other_host": True} for name, url in ours.items()}
        signing: dict[str, dict[str, Any]] = {name: {"webhook_secret": secret} for name, secret in self.webhook_secrets().items()}
        hooks = {} if self.github_hooks is None else {"hooks": tuple(hook.strip() for hook in self.github_hooks.split(","))}
        signing["github"] = signing.get("github", {}) | hooks
        return signing | {"twilio": {**twilio, **(sender if any(sender.values()) else {})}} | found

    def provider_environment(self) -> dict[str, str]:
        """Everything that was given of the accounts, as environment variables."""
        keys = {KEY_VARIABLES[provider]: key for provider, key in self.provider_keys().items()}
        keys |= {WEBHOOK_VARIABLES[sender]: secret for sender, secret in self.webhook_secrets().items()}
        return keys | {name: value for name in FIELD_VARIABLES if (value := getattr(self, name.lower())) is not None}


KEY_VARIABLES = {
    "stripe": "STRIPE_API_KEY",
    "sendgrid": "SENDGRID_API_KEY",
    "shippo": "SHIPPO_API_KEY",
    "slack": "SLACK_BOT_TOKEN",
    "twilio": "TWILIO_AUTH_TOKEN",
    "profiles": "PROFILE_SERVICE_KEY",
    "github": "GITHUB_TOKEN",
    "warehouse": "WAREHOUSE_SIGNING_SECRET",
}
WEBHOOK_VARIABLES = {
    "stripe": "STRIPE_WEBHOOK_SECRET",
    "sendgrid": "SENDGRID_WEBHOOK_PUBLIC_KEY",
    "shippo": "SHIPPO_WEBHOOK_SECRET",
    "slack": "SLACK_SIGNING_SECRET",
    "github": "GITHUB_WEBHOOK_SECRET",
    "custom": "CUSTOM_WEBHOOK_SECRET",
}
FIELD_VARIABLES = (
    *("TWILIO_ACCOUNT_SID", "TWILIO_FROM_NUMBER", "TWILIO_MESSAGING_SERVICE_SID"),
    *("PROFILE_SERVICE_URL", "WAREHOUSE_URL", "GITHUB_HOOKS"),
)
