"""What the tests of reconciliation share: a shop whose providers call back, and what they told, taken in as the gateway would."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from sqlmodel import col, select

from flows.reconcile_providers import reconcile
from gateway.openers.delivery import Delivery
from gateway.openers.registry import OPENERS
from hub.database import transaction
from hub.enrolling import enrol
from hub.facts import ProfileCreated
from hub.notices import Notice
from hub.reconciliation.periods import Begun, begin_reconciliation
from hub.reconciliation.reports import Report
from hub.signups import SignupRequest
from hub.subject_rows import locked, record
from hub.tables import EffectRow
from tasks.bulk import in_bulk
from tasks.reconciling import PROVIDERS, conclude
from tests.contract.ledger_kit import Shop, changed, clean, open_shop, placed, sql, until
from tests.contract.notice_kit import handled
from tests.contract.process_kit import accounts_of, goes_on, rests, subject_rests
from tests.contract.release_kit import a_release
from tests.contract.sandbox_process import Sandbox
from tests.contract.webhook_receiver import Receiver
from tests.unit.bad_signups import a_signup_with

HAS_A_PHONE = {"customer": {"email": "bounce@example.com", "name": "Ada", "phone": "+14155550123"}}
"""Whose mail bounces, so that a text follows."""


class Market:
    """A shop whose providers call back, and the reconciliations of everything since it opened."""

    def __init__(self, shop: Shop, receiver: Receiver) -> None:
        self.shop, self.sandbox, self.receiver = shop, shop.sandbox, receiver
        self._opened_at = datetime.now(UTC)
        self._heard = 0

    async def listen(self) -> None:
        """Take in what the providers tell until they are silent, as the hub does through its gateway."""
        while True:
            await until(self._is_calm, seconds=30)
            new, self._heard = self.receiver.received[self._heard :], len(self.receiver.received)
            if not new:
                return
            notices: list[Notice] = []
            for one in new:
                target, headers = urlsplit(one.target), [(name.lower().encode(), value.encode()) for name, value in one.headers.items()]
                notices += OPENERS[one.provider].notices(Delivery(one.body, headers, target.path, target.query, time.time()))
            for kind, subject_id in (await handled(*notices)).due:
                await goes_on(subject_id, kind)

    async def order(self, **changes: Any) -> str:
        """An order that has gone as far as it goes by itself."""
        order_id = await placed(**changes)
        await rests(order_id)
        return order_id

    async def release(self) -> str:
        """A release that waits for whoever deploys."""
        release_id = await a_release(repository=f"example/{uuid4().hex[:8]}")
        await goes_on(release_id, "release")
        return release_id

    async def signup(self) -> str:
        """A sign-up whose profile was made, with a greeting and a text."""
        signup_id = f"s-{uuid4().hex[:8]}"
        about = {"email": f"{signup_id}@example.com", "phoneNumber": "+14155550123", "preferences": {"sms_notifications": True}}
        await enrol(signup_id, SignupRequest.model_validate(a_signup_with({**about, "initialPayment": None})))
        async with transaction() as session:
            row, _ = await locked(session, signup_id, "signup")
            await record(session, row, ProfileCreated(profile_id="usr_1"), source="run")
        await subject_rests(signup_id, "signup")
        return signup_id

    async def withhold(self) -> None:
        """From now on nobody is told anything."""
        await self.sandbox.webhooks_misbehave(drop=True)

    async def begin(self) -> Begun:
        """A reconciliation of everything since the market opened."""
        return await begin_reconciliation(f"rec-{uuid4().hex[:8]}", self._opened_at, datetime.now(UTC) + timedelta(seconds=60))

    async def reconciled(self, providers: Sequence[str] = PROVIDERS) -> Report:
        """What a reconciliation of everything since the market opened finds."""
        begun = await self.begin()
        with in_bulk():
            return await conclude(begun, [one async for one in reconcile(begun, providers)])

    async def has_settled(self) -> None:
        """Return when texts have arrived and carriers have decided about labels that go back."""
        await until(self._is_settled, seconds=30)

    async def _is_settled(self) -> bool:
        texts, voids = await self.sandbox.objects("twilio", "message"), await self.sandbox.objects("shippo", "refund")
        return all(one["status"] in ("delivered", "undelivered", "SUCCESS", "ERROR") for one in (*texts, *voids))

    async def _is_calm(self) -> bool:
        return await self._is_settled() and await self.sandbox.webhooks_waiting() == 0


@asynccontextmanager
async def open_market(sandbox: Sandbox, receiver: Receiver) -> AsyncIterator[Market]:
    """A market at the sandbox."""
    address = receiver.url.removesuffix("/webhooks")
    async with open_shop(sandbox) as shop, changed(public_url=address, time_scale="0.01", unknown_seconds="86400"):
        await clean(shop)
        with accounts_of(shop):
            yield Market(shop, receiver)


def told_of(report: Report, *, repaired: bool | None = None) -> list[tuple[str, str, str]]:
    """Return the differences as provider, way and reference, sorted; ``repaired`` narrows them."""
    found = [one for compared in report.providers for one in compared.differences if repaired in (None, one.repaired)]
    return sorted((one.provider, one.what, one.reference) for one in found)


async def effect(subject_id: str, step: str) -> EffectRow:
    """The effect of the subject's step, of its first attempt."""
    async with transaction() as session:
        mine = (col(EffectRow.subject_id) == subject_id, col(EffectRow.step) == step)
        return (await session.exec(select(EffectRow).where(*mine))).one()


async def is_long_ago(row: EffectRow) -> None:
    """Let what was done about the effect have happened two hours earlier."""
    await sql(
        "UPDATE attempts SET started_at = started_at - interval '2 h', send_by = send_by - interval '2 h',"
        " settles_at = settles_at - interval '2 h' WHERE effect_key = :key",
        key=row.key,
    )
    await sql("UPDATE effects SET settled_at = settled_at - interval '2 h' WHERE key = :key", key=row.key)
