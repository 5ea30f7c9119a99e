"""The person on call: finds out at SendGrid what came of mails of which the hub knows nothing, and tells it with `hub order resolve`."""

from __future__ import annotations

import asyncio
import contextlib

import asyncpg

from tests.journeys.hub_under_test import Hub

LOOKS_EVERY_SECONDS = 1.0
UNKNOWN = """
    SELECT key, subject_id, step FROM effects JOIN orders ON orders.id = subject_id
    WHERE subject_kind = 'order' AND provider = 'sendgrid' AND state = 'unknown'
    AND (lease_until IS NULL OR lease_until < clock_timestamp())
"""


async def on_call(hub: Hub, database: asyncpg.Connection) -> None:
    """
    Look again and again, until cancelled, for mails whose call died with its process, and send on what SendGrid surely never got.

    What it got the hub learns from SendGrid's webhooks. Nobody but a person can say that it got nothing.
    """
    while True:
        for effect in await database.fetch(UNKNOWN):
            taken = {mail["custom_args"].get("effect", "").partition(":")[2] for mail in await hub.sandbox.objects("sendgrid", "mail")}
            if effect["key"] not in taken:
                with contextlib.suppress(AssertionError):  # a run has just taken the order in hand: at the next look
                    await hub.command("hub", "order", "resolve", effect["subject_id"], effect["step"], "--did-not-happen")
        await asyncio.sleep(LOOKS_EVERY_SECONDS)
