"""Whom we believe, and by which secrets: read from the same blocks as the keys."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

import httpx
from prefect.exceptions import ObjectNotFound
from pydantic import SecretStr

from blocks.github_account import GitHubAccount
from blocks.process_server import connection
from blocks.provider_account import ProviderAccount
from blocks.sendgrid_account import SendGridAccount
from blocks.shippo_account import ShippoAccount
from blocks.slack_account import SlackAccount
from blocks.stripe_account import StripeAccount
from blocks.twilio_account import TwilioAccount
from blocks.webhook_sender import WebhookSender
from hub.values import Frozen

log = logging.getLogger(__name__)

SENDERS: dict[str, type[ProviderAccount | WebhookSender]] = {
    "stripe": StripeAccount,
    "sendgrid": SendGridAccount,
    "shippo": ShippoAccount,
    "slack": SlackAccount,
    "twilio": TwilioAccount,
    "github": GitHubAccount,
    "custom": WebhookSender,
}
ANSWER_SECONDS = 10


class Trust(Frozen):
    """The secrets of one sender that are valid now, newest first; ``by_token``: it shows them in the URL instead of signing."""

    secrets: tuple[SecretStr, ...]
    by_token: bool = False


async def trusted(known: Mapping[str, Trust]) -> dict[str, Trust]:
    """
    Return whom to believe now, by path of the webhook. A sender without a block, or without a secret in it, is not among them.

    What Prefect does not tell at the moment, and a block that is no longer valid, leave the sender as ``known``.
    """
    found = await asyncio.gather(*(_asked(name, kind, known.get(name)) for name, kind in SENDERS.items()))
    return {name: trust for name, trust in zip(SENDERS, found, strict=True) if trust is not None and trust.secrets}


async def _asked(name: str, kind: type[ProviderAccount | WebhookSender], known: Trust | None) -> Trust | None:
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            block: ProviderAccount | WebhookSender = await kind.aload(name, client=await connection())
    except (httpx.HTTPError, TimeoutError):
        return known
    except Exception as error:  # noqa: BLE001 - Prefect raises ValueError and RuntimeError for many things; one block must not shut the other doors
        if isinstance(error.__cause__, ObjectNotFound):
            return None
        log.warning(
            "the block %s/%s is not valid (%s); its webhook secrets stay as they were",
            kind.get_block_type_slug(),
            name,
            type(error).__name__,
        )
        return known
    return Trust(secrets=block.webhook_secrets, by_token=isinstance(block, ShippoAccount) and block.webhook_token_mode)
