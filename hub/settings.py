"""
Every setting of the hub, typed and checked at start; `.env.example` has a sentence for each.

Sources, strongest first: environment, ``.env``, and ``stack.json`` in ``HUB_HOME``, which a running `hub up` writes, so that `hub order
show` in another terminal finds the same database and gateway.
"""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, EmailStr, Field, SecretStr, StringConstraints
from pydantic_settings import BaseSettings, JsonConfigSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from hub.parcels import Address, ParcelSize
from hub.team_events import TeamEvent

STACK_FILE = "stack.json"
ChannelId = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9]{2,}$")]
"""A Slack channel's id, not its name: only ids can be looked up again."""


class PolicyChanges(BaseModel):
    """What is different about a policy of ``hub.policies``; seconds, before they are scaled."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    budget_seconds: float | None = Field(default=None, gt=0)
    attempts: int | None = Field(default=None, ge=1, le=50)
    first_wait_seconds: float | None = Field(default=None, gt=0)
    factor: float | None = Field(default=None, ge=1)
    longest_wait_seconds: float | None = Field(default=None, gt=0)


class BreakerChanges(BaseModel):
    """What is different about the circuit breaker of ``hub.policies``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    window_seconds: float | None = Field(default=None, gt=0)
    least_calls: int | None = Field(default=None, ge=1)
    share: float | None = Field(default=None, gt=0, le=1)
    closed_seconds: float | None = Field(default=None, gt=0)
    longest_seconds: float | None = Field(default=None, gt=0)


class Policies(BaseModel):
    """What is different from the table in ``hub.policies``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    external: PolicyChanges = PolicyChanges()
    payment: PolicyChanges = PolicyChanges()
    internal: PolicyChanges = PolicyChanges()
    notification: PolicyChanges = PolicyChanges()
    restart: PolicyChanges = PolicyChanges()
    notice: PolicyChanges = PolicyChanges()
    breaker: BreakerChanges = BreakerChanges()


class Settings(BaseSettings):
    """The hub's settings; each field is ``HUB_<NAME>`` in the environment."""

    model_config: ClassVar[SettingsConfigDict] = SettingsConfigDict(
        env_prefix="HUB_", env_file=".env", env_ignore_empty=True, extra="ignore", hide_input_in_errors=True
    )

    home: Path = Field(default=Path(".hub"), description="Where logs, keys, results and the embedded database live.")
    database_url: str | None = Field(
        default=None, description="PostgreSQL for the hub, postgresql+asyncpg://…; without it `hub up` starts an embedded one."
    )
    gateway_url: str = Field(default="http://127.0.0.1:8600", description="Where the gateway listens and is reached.")
    public_url: str | None = Field(
        default=None, description="Address under which providers reach the gateway, https://…; by default HUB_GATEWAY_URL."
    )
    shippo_signature_header: str = Field(
        default="Shippo-Auth-Signature", pattern=r"^[A-Za-z0-9-]+$", description="Header in which Shippo signs; its own sources disagree."
    )
    sandbox_url: str = Field(default="http://127.0.0.1:8700", description="Where the rehearsal providers listen.")
    gateway_key: SecretStr | None = Field(default=None, description="Bearer key that the `hub` command uses at the gateway.")
    time_scale: float = Field(default=1, gt=0, le=100, description="All policy durations times this; below 1 for tests and demos.")
    policies: Policies = Field(
        default=Policies(), description='What is different from the table of policies, as JSON, e.g. {"payment": {"attempts": 3}}.'
    )
    lease_seconds: float = Field(default=15, ge=1, description="How long a run holds a subject without renewing.")
    in_hand_seconds: float = Field(default=10, ge=0, description="How long a second run waits for the first one's result.")
    send_window_seconds: float = Field(default=2, gt=0, description="From the commit of an attempt to the last moment for its first byte.")
    unknown_seconds: float = Field(
        default=86_400, gt=0, description="How long nobody may know what came of a call before a person is asked to look."
    )
    database_connections: int = Field(default=20, ge=5, description="Connections that one process has to the hub's database at most.")
    wait_in_place_seconds: float = Field(default=15, ge=0, description="Longer waits park the subject instead.")
    return_url: str | None = Field(default=None, description="Where a customer comes back to after 3-D Secure; https with live keys.")
    payment_expires_seconds: float = Field(
        default=86_400, gt=0, description="How long a customer may take to finish a payment before it is called off; scaled."
    )
    refund_asks_above: int = Field(default=10_000, ge=0, description="Refunds of more minor units than this need a person's approval.")
    approval_expires_seconds: float = Field(default=259_200, gt=0, description="How long an approval waits for its answer; scaled.")
    approvers: tuple[str, ...] = Field(
        default=(),
        description='Who may decide approvals by name, as JSON: Slack users, who may press buttons, and keys; e.g. ["slack:U01", "ada"].',
    )
    form_approves_up_to: int | None = Field(
        default=None,
        ge=0,
        description="Up to so many minor units a form in the Prefect UI decides, which knows no users; none: any amount.",
    )
    release_news_seconds: float = Field(
        default=600, gt=0, description="How long whoever deploys may be silent before a release is given up; scaled."
    )
    notice_content_days: float = Field(
        default=30, gt=0, description="How long the content of webhooks is kept after they were handled; their identity stays for ever."
    )
    result_days: float = Field(default=7, gt=0, description="How long the results that Prefect keeps for the hub stay in HUB_HOME/results.")
    pick_tickets: bool = Field(default=False, description="Whether the warehouse is told what to pack, and the carrier to come for it.")
    packed_within_seconds: float = Field(
        default=172_800, gt=0, description="How long the warehouse may take to pack a parcel before a person is asked to look; scaled."
    )
    picked_up_within_seconds: float = Field(
        default=172_800, gt=0, description="How long a packed parcel may wait for its carrier before a person is asked to look; scaled."
    )
    team_channel: str = Field(default="C0HUBTEAM", description="Id of the Slack channel that hears about orders and releases.")
    team_channels: dict[TeamEvent, ChannelId] = Field(
        default={}, description='Channels of some kinds of events, as JSON, e.g. {"attention": "C012AB3CD"}; the others: HUB_TEAM_CHANNEL.'
    )
    attention_mail: EmailStr | None = Field(
        default=None, description="Who is mailed what needs attention when Slack does not take the message."
    )
    attention_mail_seconds: float = Field(
        default=300, gt=0, description="How long Slack may fail to take such a message before the mail is sent; scaled."
    )
    mail_from: str = Field(default="orders@example.com", description="Sender of the mails to customers.")

    warehouse: Address = Field(
        default=Address(
            name="Warehouse", street="965 Mission St", city="San Francisco", state="CA", zip="94103", email="warehouse@example.com"
        ),
        description="Where parcels start, as JSON.",
    )
    parcel: ParcelSize = Field(
        default=ParcelSize(length_cm=30, width_cm=20, height_cm=15, weight_g=1500), description="Size and weight of a parcel, as JSON."
    )

    def channel_for(self, event: TeamEvent) -> str:
        """Return the id of the channel that hears of this kind of event."""
        return self.team_channels.get(event, self.team_channel)

    @property
    def webhooks_base_url(self) -> str:
        """Where providers find us, without a trailing slash and without ``/webhooks/…``; some sign this address."""
        return (self.public_url or self.gateway_url).rstrip("/")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Environment, then ``.env``, then what a running stack has written down."""
        del file_secret_settings
        home = Path(os.environ.get("HUB_HOME") or cls.model_fields["home"].default)
        stack = JsonConfigSettingsSource(settings_cls, json_file=home / STACK_FILE)
        return init_settings, env_settings, dotenv_settings, stack


@lru_cache(maxsize=1)
def settings() -> Settings:
    """The settings of this process, read once."""
    return Settings()
