"""What a mail could not tell is told by a text where that is wanted, and else to the team: each once, and somebody hears of it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from hub.errors import NotSent, Refused
from hub.facets import Status
from hub.owed import owed_effects
from hub.steps import DAY
from tests.contract.ledger_kit import Shop, effect_of, mail_effect, placed, row_of, run_of_a_new_order, sql, time_passes
from tests.contract.notice_kit import handled, mail_told
from tests.contract.process_kit import accounts_of, rests, snapshot_of

CUSTOMER = {"email": "ada@example.com", "name": "Ada"}
NO_TEXTS, UNREACHABLE, PHONE = "+15005550004", "+15005550009", "+14155550123"


@pytest_asyncio.fixture(loop_scope="session")
async def shop(shop: Shop) -> AsyncIterator[Shop]:
    await sql("DELETE FROM notices")
    with accounts_of(shop):
        yield shop


async def confirmed(phone: str | None) -> str:
    order_id = await placed(customer=CUSTOMER | ({} if phone is None else {"phone": phone}))
    assert (await rests(order_id)).status == Status.CONFIRMED
    return order_id


async def told_the_team(shop: Shop) -> int:
    posted = [message["text"] for message in await shop.sandbox.objects("slack", "message")]
    return ["`order_confirmation` reached nobody" in text for text in posted].count(True)


async def bounces(order_id: str) -> None:
    order = await snapshot_of(order_id)
    sent = (await effect_of(mail_effect(order))).reference or ""
    await handled(mail_told("bounce", order, sent, type="bounce", status="5.1.1"))
    assert (await rests(order_id)).status == Status.CONFIRMED


@pytest.mark.parametrize(
    ("phone", "texts", "team"),
    [(PHONE, 1, 0), (NO_TEXTS, 0, 1), (UNREACHABLE, 0, 1), (None, 0, 1)],
    ids=["text", "no texts", "wrong", "none"],
)
async def test_a_mail_that_bounces_is_followed_by_a_text_or_told_to_the_team(shop: Shop, phone: str | None, texts: int, team: int) -> None:
    order_id = await confirmed(phone)

    for _ in range(2):
        await bounces(order_id)

    assert await shop.sandbox.count("twilio", "text", order_id) == texts
    assert await told_the_team(shop) == team


async def test_a_mail_that_could_not_be_sent_as_long_as_it_was_useful_falls_back_too(shop: Shop) -> None:
    async with run_of_a_new_order() as order:
        await shop.until_labelled(order)
        await shop.sandbox.fault("sendgrid", "send mail", "status", status=429)
        with pytest.raises(NotSent):
            await shop.mail(order)
        await time_passes(mail_effect(order), DAY + 1)
        with pytest.raises(Refused, match="no longer useful"):
            await shop.mail(order)

    assert (await row_of(order.id)).resume_at is not None
    assert [owed.step for owed in await owed_effects(await snapshot_of(order.id))] == ["untold.mail"]
