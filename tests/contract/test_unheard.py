"""What needs attention while Slack is what is down is mailed to whoever is on call, once; and Slack hears of it when it is back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from hub.facets import Status
from hub.intake import go_on
from hub.unheard import mail_what_is_unheard
from tests.contract.ledger_kit import SLACK_KEY, Shop, changed, placed, row_of, sql
from tests.contract.notice_kit import carrier_told, handled
from tests.contract.process_kit import accounts_of, goes_on, rests

ON_CALL = "on-call@example.com"
DOWN: dict[str, tuple[str, dict[str, Any]]] = {
    "refuses the key": ("garbage", {"body": {"ok": False, "error": "token_revoked"}}),
    "is overloaded": ("status", {"status": 429}),
    "fails": ("status", {"status": 503}),
    "hangs up": ("drop", {}),
}


@pytest_asyncio.fixture(loop_scope="session")
async def shop(shop: Shop) -> AsyncIterator[Shop]:
    await sql("DELETE FROM notices")
    async with changed(attention_mail=ON_CALL, attention_mail_seconds="300"):
        with accounts_of(shop):
            yield shop


async def undeliverable() -> str:
    order_id = await placed()
    assert (await rests(order_id)).status == Status.CONFIRMED
    await handled(carrier_told("FAILURE", (await row_of(order_id)).tracking_number or ""))
    return order_id


async def minutes_pass(order_id: str) -> None:
    await sql("UPDATE effects SET created_at = created_at - interval '6 min' WHERE subject_id = :id", id=order_id)
    await sql("UPDATE effects SET resume_at = clock_timestamp() WHERE subject_id = :id AND resume_at IS NOT NULL", id=order_id)


async def mails(shop: Shop, order_id: str) -> list[str]:
    sent = await shop.sandbox.objects("sendgrid", "mail")
    about = [mail for mail in sent if order_id in str(mail) and ON_CALL in str(mail)]
    return [str(mail) for mail in about]


@pytest.mark.parametrize("trouble", DOWN)
async def test_what_slack_does_not_take_for_some_minutes_is_mailed_once(shop: Shop, trouble: str) -> None:
    order_id = await undeliverable()
    what, how = DOWN[trouble]
    await shop.sandbox.fault("slack", "post message", what, times=None, **how)
    await goes_on(order_id)
    assert await mail_what_is_unheard() == []
    await minutes_pass(order_id)

    assert await mail_what_is_unheard() == [("order", order_id)]
    assert await mail_what_is_unheard() == []
    for _ in range(3):
        await goes_on(order_id)

    (mail,) = await mails(shop, order_id)
    assert f"order {order_id} (100.00 USD) needs attention" in mail
    assert "could not deliver the parcel" in mail


async def test_a_closed_gate_is_no_excuse_and_slack_hears_of_it_when_it_is_back(shop: Shop) -> None:
    order_id = await undeliverable()
    paused = "INSERT INTO provider_gates (provider, closed_until, reason) VALUES ('slack', clock_timestamp() + interval '1 hour', 'paused')"
    await sql(paused)
    await goes_on(order_id)
    await minutes_pass(order_id)
    await mail_what_is_unheard()
    await goes_on(order_id)
    assert len(await mails(shop, order_id)) == 1

    await sql("DELETE FROM provider_gates")
    await minutes_pass(order_id)
    await sql("UPDATE orders SET resume_at = clock_timestamp() WHERE id = :id", id=order_id)
    await rests(order_id)

    said = [one["text"] for one in await shop.sandbox.objects("slack", "message") if order_id in one["text"]]
    assert len([text for text in said if "could not deliver" in text]) == 1
    assert len(await mails(shop, order_id)) == 1


async def test_what_slack_has_taken_or_somebody_has_seen_to_is_not_mailed(shop: Shop) -> None:
    heard = await undeliverable()
    await rests(heard)
    await minutes_pass(heard)
    seen_to = await undeliverable()
    await shop.sandbox.revoke("slack", SLACK_KEY)
    await goes_on(seen_to)
    await minutes_pass(seen_to)
    await go_on(seen_to)

    assert await mail_what_is_unheard() == []
    await shop.sandbox.restore("slack", SLACK_KEY)


async def test_without_an_address_nobody_is_mailed(shop: Shop) -> None:
    async with changed(attention_mail=""):
        order_id = await undeliverable()
        await shop.sandbox.fault("slack", "post message", "status", status=429, times=None)
        await goes_on(order_id)
        await minutes_pass(order_id)

        assert await mail_what_is_unheard() == []
