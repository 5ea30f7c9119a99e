"""What became of a text, found out by looking through the list of texts at Twilio."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import pytest_asyncio

from blocks.twilio_account import TwilioAccount
from hub.errors import OutcomeUnknown
from hub.messages import text_reference
from tests.contract.account_kit import fails, long_ago
from tests.contract.sandbox_process import Sandbox
from tests.contract.twilio_kit import KEY, PHONE, a_text, an_account


@pytest_asyncio.fixture(loop_scope="session")
async def twilio(sandbox: Sandbox) -> TwilioAccount:
    await sandbox.reset()
    return an_account(sandbox.url)


async def test_a_text_is_sent_and_found_by_its_recipient_and_our_reference(sandbox: Sandbox, twilio: TwilioAccount) -> None:
    assert await twilio.find_text(a_text(), key=KEY, since=long_ago()) is None

    sent = await twilio.send_text(a_text(), key=KEY)

    found = await twilio.find_text(a_text(), key=KEY, since=long_ago())
    assert found is not None
    assert found.sid == sent.sid
    assert sent.status == "queued"
    assert await twilio.find_text(a_text(to="+14155550199"), key=KEY, since=long_ago()) is None
    assert await twilio.find_text(a_text(), key=KEY.replace("text:1", "text:2"), since=long_ago()) is None
    assert [effect["subject"] for effect in await sandbox.effects("twilio", "text")] == ["o-1"]


async def test_a_text_is_found_although_its_words_were_changed_on_the_way(sandbox: Sandbox, twilio: TwilioAccount) -> None:
    await twilio.send_text(a_text(text="Sent from your trial account - Your order o-1 is on its way."), key=KEY)

    assert await twilio.find_text(a_text(), key=KEY, since=long_ago()) is not None
    assert await sandbox.count("twilio", "text") == 1


async def test_a_text_is_found_behind_a_hundred_others(twilio: TwilioAccount) -> None:
    first = await twilio.send_text(a_text(), key="the first")
    await asyncio.gather(*(twilio.send_text(a_text(), key=f"k-{number}") for number in range(120)))

    found = await twilio.find_text(a_text(), key="the first", since=long_ago())

    assert found is not None
    assert found.sid == first.sid


async def test_a_text_is_queued_then_sent_then_delivered_or_not(twilio: TwilioAccount) -> None:
    for number, end in ((PHONE, "delivered"), ("+15005553003", "undelivered")):
        await twilio.send_text(a_text(to=number), key=KEY)
        seen: list[str] = []
        async with asyncio.timeout(10):
            while end not in seen:
                found = await twilio.find_text(a_text(to=number), key=KEY, since=long_ago())
                assert found is not None
                seen += [found.status] if found.status not in seen else []
        assert seen == ["queued", "sent", end]


def a_page(*bodies: str | None, following: Any = None, **changes: Any) -> dict[str, Any]:
    made = {"sid": "SM" + "0" * 32, "status": "sent", "date_created": "Sun, 22 Nov 2037 04:39:26 +0000"}
    return {"messages": [{**made, "body": body, **changes} for body in bodies], "next_page_uri": following}


@pytest.mark.parametrize(
    "page",
    [
        {"messages": []},
        {"messages": None, "next_page_uri": None},
        {"next_page_uri": None},
        a_page(text_reference(KEY), sid="none"),
        a_page(text_reference(KEY), date_created="yesterday"),
        a_page(text_reference(KEY), date_created=None),
        a_page("", following=7),
    ],
    ids=["no word of more pages", "null", "no messages", "sid", "date", "no date", "next page"],
)
async def test_a_list_of_another_shape_decides_nothing(sandbox: Sandbox, twilio: TwilioAccount, page: dict[str, Any]) -> None:
    await sandbox.fault("twilio", "list texts", "garbage", body=page)

    await fails(lambda: twilio.find_text(a_text(), key=KEY, since=long_ago()), OutcomeUnknown)


async def test_a_text_whose_words_are_hidden_decides_nothing(sandbox: Sandbox, twilio: TwilioAccount) -> None:
    for body in ("", None):
        await sandbox.fault("twilio", "list texts", "garbage", body=a_page(body))
        await fails(lambda: twilio.find_text(a_text(), key=KEY, since=long_ago()), OutcomeUnknown)

    await sandbox.fault("twilio", "list texts", "garbage", body=a_page("", date_created="Sun, 22 Nov 2015 04:39:26 +0000"))
    assert await twilio.find_text(a_text(), key=KEY, since=long_ago()) is None


async def test_a_list_without_end_leaves_the_outcome_open(sandbox: Sandbox, twilio: TwilioAccount) -> None:
    await sandbox.fault("twilio", "list texts", "garbage", times=None, body=a_page("other words", following="/2010-04-01/x?Page=1"))

    await fails(lambda: twilio.find_text(a_text(), key=KEY, since=long_ago()), OutcomeUnknown)


async def test_the_credentials_do_not_follow_a_list_to_another_host(sandbox: Sandbox, twilio: TwilioAccount) -> None:
    async with await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0) as elsewhere:
        port = elsewhere.sockets[0].getsockname()[1]
        await sandbox.fault("twilio", "list texts", "garbage", body=a_page("other words", following=f"http://127.0.0.1:{port}/?Page=1"))

        assert await twilio.find_text(a_text(), key=KEY, since=long_ago()) is None

    assert len(await sandbox.requests("twilio", "list texts")) == 2
