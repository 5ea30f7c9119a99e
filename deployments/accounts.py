"""Which account every provider is asked with: official keys that were given, an account saved earlier, or the rehearsal."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import SecretStr, ValidationError

from blocks.github_account import GitHubAccount
from blocks.profile_service import ProfileService
from blocks.provider_account import ProviderAccount
from blocks.sendgrid_account import SendGridAccount
from blocks.shippo_account import ShippoAccount
from blocks.slack_account import SlackAccount
from blocks.stripe_account import StripeAccount
from blocks.twilio_account import TwilioAccount
from blocks.warehouse import Warehouse
from deployments.problems import NeedsAuth, Problem
from deployments.stack_settings import KEY_VARIABLES
from hub.settings import settings

REHEARSAL = "rehearsal"
ACCOUNTS: dict[str, type[ProviderAccount]] = {
    "stripe": StripeAccount,
    "sendgrid": SendGridAccount,
    "shippo": ShippoAccount,
    "slack": SlackAccount,
    "twilio": TwilioAccount,
    "profiles": ProfileService,
    "github": GitHubAccount,
    "warehouse": Warehouse,
}
REHEARSAL_PATHS = {
    "stripe": "/stripe",
    "sendgrid": "/sendgrid",
    "shippo": "/shippo",
    "slack": "/slack/api/",
    "twilio": "/twilio",
    "profiles": "",
    "github": "/github",
    "warehouse": "/warehouse",
}
REHEARSAL_LIMITS = {"timeout_seconds": 5, "late_seconds": 1}
REHEARSAL_FIELDS: dict[str, dict[str, Any]] = {
    "twilio": {"account_sid": f"AC{'5a' * 16}", "from_number": "+15005550006", "messaging_service_sid": None},
    "github": {"hooks": ("example/shop/100000001",)},
}


@dataclass(frozen=True)
class Choice:
    """The account of one provider; ``new`` when it has still to be saved."""

    provider: str
    account: ProviderAccount
    new: bool

    @property
    def mode(self) -> str:
        """``live``, ``test`` or ``rehearsal``."""
        return str(self.account.mode)


def needed() -> tuple[str, ...]:
    """Return the providers whose accounts this hub needs: the warehouse is only told where ``HUB_PICK_TICKETS`` says so."""
    return tuple(provider for provider in ACCOUNTS if provider != "warehouse" or settings().pick_tickets)


async def saved(provider: str) -> ProviderAccount | None:
    """
    Load the account that is saved for ``provider``, if any.

    Raises:
        Problem: It is there and cannot be read.
    """
    kind = ACCOUNTS[provider]
    try:
        return await kind.aload(provider)
    except ValidationError as unreadable:
        message = (
            f"The saved account {kind.get_block_type_slug()}/{provider} is not valid: mend or delete it in the Prefect UI under Blocks."
        )
        raise Problem(message) from unreadable
    except ValueError:
        return None


async def chosen(
    keys: Mapping[str, str],
    fields: Mapping[str, Mapping[str, Any]],
    rehearsal_keys: Mapping[str, str],
    rehearsal_webhooks: Mapping[str, SecretStr],
) -> list[Choice]:
    """
    Choose the account of every provider. Nothing is saved yet.

    ``keys`` are the official ones that were given, ``fields`` what else was given for them; ``rehearsal_webhooks`` is what the sandbox's
    webhooks are verified with.

    Raises:
        Problem: A given key, or an account saved earlier, is not valid.
    """
    providers = needed()
    found = await asyncio.gather(*(saved(provider) for provider in providers))
    choices = []
    for provider, earlier in zip(providers, found, strict=True):
        kind = ACCOUNTS[provider]
        rehearsed = earlier is None or earlier.mode == REHEARSAL
        if provider in keys:
            wanted = {**_kept(None if rehearsed else earlier), **fields.get(provider, {}), "api_key": SecretStr(keys[provider])}
            choices.append(Choice(provider, _official(provider, kind, wanted), new=True))
        elif earlier is not None and not rehearsed:
            choices.append(Choice(provider, earlier, new=False))
        else:
            rehearsal: dict[str, Any] = {
                "api_key": SecretStr(rehearsal_keys[provider]),
                "webhook_secret": rehearsal_webhooks.get(provider),
                "base_url": settings().sandbox_url + REHEARSAL_PATHS[provider],
                **REHEARSAL_LIMITS,
                **REHEARSAL_FIELDS.get(provider, {}),
            }
            choices.append(Choice(provider, kind(**_sender(provider) | _kept(earlier) | rehearsal), new=True))
    return choices


def must_agree(choices: list[Choice], *, mixed: bool) -> str:
    """
    Return the mode that all accounts share, or ``mixed`` when a mix is allowed.

    Raises:
        Problem: They do not share one.
    """
    modes = {choice.mode for choice in choices}
    if len(modes) == 1:
        return modes.pop()
    if mixed:
        return "mixed"
    each = ", ".join(f"{choice.provider} {choice.mode}" for choice in choices)
    missing = ", ".join(KEY_VARIABLES[choice.provider] for choice in choices if choice.mode == REHEARSAL)
    give = f"give {missing} too, or " if missing else ""
    raise Problem(f"The accounts are a mix ({each}): {give}say that you mean it with `hub up --mixed`.")


async def save(choices: list[Choice], *, guarded: bool) -> None:
    """
    Save the new accounts. ``guarded`` says whether the Prefect server asks for an auth string.

    Raises:
        NeedsAuth: An account is not for rehearsal, and anybody on this machine could read it.
    """
    if not guarded and any(choice.mode != REHEARSAL for choice in choices):
        raise NeedsAuth
    await asyncio.gather(*(choice.account.save(choice.provider, overwrite=True) for choice in choices if choice.new))


def _sender(provider: str) -> dict[str, Any]:
    """Who the mails come from; the others do not ask."""
    return {"from_email": settings().mail_from} if provider == "sendgrid" else {}


def _kept(earlier: ProviderAccount | None) -> dict[str, Any]:
    """What was set in an ``earlier`` account; the new one is checked as a whole again."""
    return (
        {} if earlier is None else {name: getattr(earlier, name) for name in earlier.model_fields_set & type(earlier).model_fields.keys()}
    )


def _official(provider: str, kind: type[ProviderAccount], fields: dict[str, Any]) -> ProviderAccount:
    try:
        return kind(**_sender(provider) | fields)
    except ValidationError as invalid:
        wrong = "; ".join(
            f"{'.'.join(map(str, error['loc'])) or 'account'}: {error['msg']}" for error in invalid.errors(include_input=False)
        )
        raise Problem(f"{KEY_VARIABLES[provider]} makes no valid {provider} account ({wrong}).") from invalid
