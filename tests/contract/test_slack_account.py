from __future__ import annotations

import logging
import time
from datetime import UTC, datetime
from typing import Any

import pytest
import pytest_asyncio

from blocks.slack_account import SlackAccount
from hub.errors import Misconfigured, OutcomeUnknown, ProviderError, RateLimited, Refused
from hub.messages import Button, MessageUpdate, TeamMessage
from tests.contract.account_kit import (
    TROUBLES,
    Trouble,
    fails,
    keeps_the_send_window,
    long_ago,
    shares_one_pool,
    survives,
    tells_that_nobody_listens,
)
from tests.contract.sandbox_process import Sandbox

KEY = "xoxb-rehearsal-slack"


@pytest_asyncio.fixture(loop_scope="session")
async def slack(sandbox: Sandbox) -> SlackAccount:
    await sandbox.reset()
    return an_account(sandbox.url)


def an_account(url: str, key: str = KEY, timeout_seconds: float = 5) -> SlackAccount:
    return SlackAccount(api_key=key, base_url=f"{url}/slack/api", timeout_seconds=timeout_seconds)


def a_message(**changes: Any) -> TeamMessage:
    return TeamMessage(
        **{"channel": "C0HUBTEAM", "text": "Order o-1 is paid.", "metadata": {"order_id": "o-1", "hub_id": "h-1"}, **changes}
    )


async def test_a_message_is_posted_and_found_by_our_reference(sandbox: Sandbox, slack: SlackAccount) -> None:
    posted = await slack.post_message(a_message(), key="h-1:order:o-1:team:1")
    await slack.post_message(a_message(), key="h-1:order:o-2:team:1")

    assert posted.channel == "C0HUBTEAM"
    assert await slack.find_message(a_message(), key="h-1:order:o-1:team:1", since=long_ago()) == posted
    assert await slack.find_message(a_message(), key="h-1:order:o-3:team:1", since=long_ago()) is None
    later = datetime.fromtimestamp(time.time() + 120, UTC)
    assert await slack.find_message(a_message(), key="h-1:order:o-1:team:1", since=later) is None
    assert [effect["subject"] for effect in await sandbox.effects("slack", "message")] == ["o-1", "o-1"]


async def test_a_message_is_updated_in_place_however_often(sandbox: Sandbox, slack: SlackAccount) -> None:
    posted = await slack.post_message(a_message(), key="k")
    update = MessageUpdate(channel=posted.channel, timestamp=posted.timestamp, text="Order o-1 is shipped.", metadata={"order_id": "o-1"})

    for _ in range(2):
        assert await slack.update_message(update, key="k-2") == posted

    [message] = await sandbox.objects("slack", "message")
    assert message["text"] == "Order o-1 is shipped."
    assert [effect["subject"] for effect in await sandbox.effects("slack", "message_updated")] == ["o-1", "o-1"]


async def test_a_reply_is_seen_in_the_channel_and_found_by_our_reference(sandbox: Sandbox, slack: SlackAccount) -> None:
    first = await slack.post_message(a_message(), key="k-1")
    reply = await slack.post_message(a_message(thread=first.timestamp), key="k-2")

    below, above = await sandbox.objects("slack", "message")
    assert (below["thread_ts"], below["subtype"]) == (first.timestamp, "thread_broadcast")
    assert (above["reply_count"], above["latest_reply"]) == (1, reply.timestamp)
    assert await slack.find_message(a_message(thread=first.timestamp), key="k-2", since=long_ago()) == reply


async def test_a_button_that_asks_whether_that_is_meant_names_the_effect_and_goes_with_the_next_change(
    sandbox: Sandbox, slack: SlackAccount
) -> None:
    button = Button(action="refund", text="Refund", style="danger", sure="All of it?")
    posted = await slack.post_message(a_message(buttons=(button,)), key="k-1")
    [message] = await sandbox.objects("slack", "message")
    [element] = message["blocks"][1]["elements"]
    assert (element["value"], element["confirm"]["text"]["text"]) == ("k-1", "All of it?")

    update = MessageUpdate(channel=posted.channel, timestamp=posted.timestamp, text="Given back.", metadata={})
    await slack.update_message(update, key="k-2")
    [message] = await sandbox.objects("slack", "message")
    assert message["blocks"] == []


@pytest.mark.parametrize("said", ["message_not_found", "cant_update_message", "edit_window_closed"])
async def test_a_message_that_cannot_be_changed_any_more_is_a_refusal(sandbox: Sandbox, slack: SlackAccount, said: str) -> None:
    await sandbox.fault("slack", "update message", "garbage", body={"ok": False, "error": said})
    update = MessageUpdate(channel="C0HUBTEAM", timestamp="1700000000.000001", text="Gone?", metadata={})

    refusal = await fails(lambda: slack.update_message(update, key="k"), Refused)

    assert isinstance(refusal, Refused)
    assert refusal.code == said


async def test_a_message_is_found_behind_two_hundred_others(slack: SlackAccount) -> None:
    posted = await slack.post_message(a_message(), key="the first")
    for number in range(200):
        await slack.post_message(a_message(), key=f"k-{number}")

    assert await slack.find_message(a_message(), key="the first", since=long_ago()) == posted


@pytest.mark.parametrize("wrong", [{"channel": "G0NOTOURS"}, {"text": "x" * 40_001}], ids=["channel", "too long"])
async def test_a_message_that_slack_does_not_take_is_for_an_operator(slack: SlackAccount, wrong: dict[str, str]) -> None:
    await fails(lambda: slack.post_message(a_message(**wrong), key="k"), Misconfigured)


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("internal_error", OutcomeUnknown),
        ("fatal_error", OutcomeUnknown),
        ("service_unavailable", OutcomeUnknown),
        ("request_timeout", OutcomeUnknown),
        ("ratelimited", RateLimited),
        ("rate_limited", RateLimited),
        ("is_archived", Misconfigured),
        ("missing_scope", Misconfigured),
        ("an error from the future", Misconfigured),
    ],
)
async def test_slacks_errors_come_with_status_200(sandbox: Sandbox, slack: SlackAccount, said: str, kind: type[ProviderError]) -> None:
    await sandbox.fault("slack", "post message", "garbage", body={"ok": False, "error": said})

    error = await fails(lambda: slack.post_message(a_message(), key="k"), kind)

    assert (said in error.reason) is (" " not in said), "only what looks like a code is repeated"


@pytest.mark.parametrize("lie", [{"channel": None}, {"ts": 17}, {"ts": "1.2\0"}, {"ok": "yes"}], ids=str)
async def test_an_answer_of_another_shape_leaves_the_outcome_open(sandbox: Sandbox, slack: SlackAccount, lie: dict[str, Any]) -> None:
    await sandbox.fault("slack", "post message", "garbage", "after", body={"ok": True, "channel": "C0HUBTEAM", "ts": "1.2", **lie})

    await fails(lambda: slack.post_message(a_message(), key="k"), OutcomeUnknown)


async def test_the_doctor_hears_who_we_are(slack: SlackAccount) -> None:
    assert await slack.check() == "Slack knows us as hub in Rehearsal."


async def test_no_key_and_no_message_reaches_a_log(slack: SlackAccount, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    await slack.post_message(a_message(), key="k")

    assert KEY not in caplog.text
    assert "is paid" not in caplog.text


@pytest.mark.parametrize("trouble", TROUBLES)
async def test_every_trouble_is_one_of_our_errors(sandbox: Sandbox, slack: SlackAccount, trouble: Trouble) -> None:
    await survives(
        trouble,
        sandbox,
        ("slack", "post message", "message"),
        lambda seconds: an_account(sandbox.url, timeout_seconds=seconds).post_message(a_message(), key="k"),
    )
    if trouble.kind is OutcomeUnknown:
        found = await slack.find_message(a_message(), key="k", since=long_ago())
        assert (found is not None) is bool(trouble.happened)


async def test_a_revoked_key_is_for_an_operator(sandbox: Sandbox, slack: SlackAccount) -> None:
    await sandbox.revoke("slack", KEY)

    await fails(lambda: slack.post_message(a_message(), key="k"), Misconfigured)
    await fails(slack.check, Misconfigured)


async def test_a_refused_connection_has_sent_nothing() -> None:
    await tells_that_nobody_listens(lambda url: lambda: an_account(url).post_message(a_message(), key="k"))


async def test_nothing_is_written_after_the_send_window(sandbox: Sandbox) -> None:
    account = an_account(sandbox.url, KEY + "_unused_so_far")
    await keeps_the_send_window(sandbox, "slack", lambda: account.post_message(a_message(), key="k"))


async def test_accounts_loaded_again_share_one_pool_that_closes_with_its_loop(sandbox: Sandbox) -> None:
    client = await shares_one_pool(lambda: an_account(sandbox.url), lambda: an_account(sandbox.url, KEY + "_other"))

    assert client.session.closed
