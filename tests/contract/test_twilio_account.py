from __future__ import annotations

import logging
from typing import Any

import pytest
import pytest_asyncio
from pydantic import ValidationError

from blocks.twilio_account import TwilioAccount
from hub.errors import Misconfigured, OutcomeUnknown, ProviderError, RateLimited, Refused
from hub.exchange import Exchange
from hub.messages import SentText, text_reference
from tests.contract.account_kit import (
    TROUBLES,
    Trouble,
    fails,
    gives_up_on_a_slow_answer,
    keeps_the_send_window,
    long_ago,
    shares_one_pool,
    survives,
    tells_that_nobody_listens,
)
from tests.contract.sandbox_process import Sandbox
from tests.contract.twilio_kit import KEY, PHONE, TOKEN, a_text, an_account


@pytest_asyncio.fixture(loop_scope="session")
async def twilio(sandbox: Sandbox) -> TwilioAccount:
    await sandbox.reset()
    return an_account(sandbox.url)


async def test_the_customer_reads_our_words_and_a_short_reference(sandbox: Sandbox, twilio: TwilioAccount) -> None:
    await twilio.send_text(a_text(), key=KEY)

    [message] = await sandbox.objects("twilio", "message")
    assert message["body"] == f"Your order o-1 is on its way. {text_reference(KEY)}"
    assert (message["to"], message["from"]) == (PHONE, "+15005550006")


async def test_a_text_goes_through_a_messaging_service(sandbox: Sandbox, twilio: TwilioAccount) -> None:
    del twilio
    account = an_account(sandbox.url, from_number=None, messaging_service_sid="MG" + "1b" * 16)

    assert (await account.send_text(a_text(), key=KEY)).status == "accepted"


@pytest.mark.parametrize("senders", [{"from_number": None}, {"messaging_service_sid": "MG" + "1b" * 16}], ids=["none", "two"])
def test_an_account_has_one_sender(senders: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="give one of the two"):
        an_account("http://127.0.0.1:1", **senders)


@pytest.mark.parametrize(("number", "code"), [("+15005550001", "21211"), ("+15005550004", "21610"), ("+15005550009", "21614")])
async def test_a_number_that_no_text_may_reach_is_a_refusal(sandbox: Sandbox, twilio: TwilioAccount, number: str, code: str) -> None:
    exchange = Exchange()
    refusal = await fails(lambda: twilio.send_text(a_text(to=number), key=KEY), Refused, exchange)

    assert isinstance(refusal, Refused)
    assert refusal.code == code
    assert code in refusal.reason
    assert exchange.provider_text is not None
    assert number not in exchange.provider_text
    assert await sandbox.count("twilio", "text") == 0


@pytest.mark.parametrize("number", ["+15005550002", "+15005550003"])
async def test_a_country_or_a_route_that_is_not_set_up_is_for_an_operator(twilio: TwilioAccount, number: str) -> None:
    await fails(lambda: twilio.send_text(a_text(to=number), key=KEY), Misconfigured)


@pytest.mark.parametrize(
    ("sender", "kind"), [("+15005550001", Misconfigured), ("+15005550007", Misconfigured), ("+15005550008", RateLimited)]
)
async def test_a_sender_that_is_not_ours_is_for_an_operator_and_a_full_queue_waits(
    sandbox: Sandbox, twilio: TwilioAccount, sender: str, kind: type[ProviderError]
) -> None:
    del twilio
    await fails(lambda: an_account(sandbox.url, from_number=sender).send_text(a_text(), key=KEY), kind)


@pytest.mark.parametrize("code", [20429, 21611])
async def test_too_many_at_once_waits_whatever_the_status(sandbox: Sandbox, twilio: TwilioAccount, code: int) -> None:
    await sandbox.fault("twilio", "send text", "status", status=400, body={"code": code, "status": 400}, retry_after=3)

    error = await fails(lambda: twilio.send_text(a_text(), key=KEY), RateLimited)

    assert isinstance(error, RateLimited)
    assert error.retry_after_seconds == 3


async def test_an_unknown_code_is_for_an_operator_and_words_are_not_repeated(sandbox: Sandbox, twilio: TwilioAccount) -> None:
    body = {"code": 99999, "message": f"{PHONE} is a secret", "status": 400}
    await sandbox.fault("twilio", "send text", "status", status=400, body=body)

    error = await fails(lambda: twilio.send_text(a_text(), key=KEY), Misconfigured)

    assert "99999" in error.reason
    assert PHONE not in str(error)


@pytest.mark.parametrize(
    "lie",
    [
        {"sid": None},
        {"sid": 17},
        {"sid": "SM../../Accounts"},
        {"status": None},
        {"status": ["queued"]},
        {"status": "queued for you@example.com"},
    ],
    ids=str,
)
async def test_an_answer_of_another_shape_leaves_the_outcome_open(sandbox: Sandbox, twilio: TwilioAccount, lie: dict[str, Any]) -> None:
    body = {"sid": "SM" + "0" * 32, "status": "queued", **lie}
    for told in (body, {name: value for name, value in body.items() if name not in lie}):
        await sandbox.fault("twilio", "send text", "garbage", "after", status=201, body=told)
        await fails(lambda: twilio.send_text(a_text(), key=KEY), OutcomeUnknown)


async def test_the_doctor_hears_that_the_credentials_work(sandbox: Sandbox, twilio: TwilioAccount) -> None:
    assert await twilio.check() == "Twilio accepts the token; texts come from +15005550006."

    await sandbox.fault("twilio", "read account", "garbage", body={"status": "suspended"})
    assert "suspended" in str(await fails(twilio.check, Misconfigured))


async def test_no_key_and_no_number_reaches_a_log(twilio: TwilioAccount, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    await twilio.send_text(a_text(), key=KEY)
    await twilio.find_text(a_text(), key=KEY, since=long_ago())

    assert "Messages.json" in caplog.text
    for secret in (TOKEN, PHONE, PHONE[1:], "on its way"):
        assert secret not in caplog.text


@pytest.mark.parametrize("trouble", TROUBLES)
async def test_every_trouble_is_one_of_our_errors(sandbox: Sandbox, twilio: TwilioAccount, trouble: Trouble) -> None:
    await survives(
        trouble,
        sandbox,
        ("twilio", "send text", "text"),
        lambda seconds: an_account(sandbox.url, timeout_seconds=seconds).send_text(a_text(), key=KEY),
    )
    if trouble.kind is OutcomeUnknown:
        found = await twilio.find_text(a_text(), key=KEY, since=long_ago())
        assert isinstance(found, SentText) is bool(trouble.happened)


async def test_an_answer_that_drips_is_given_up_on() -> None:
    await gives_up_on_a_slow_answer(
        lambda url: lambda: an_account(url, timeout_seconds=0.5).send_text(a_text(), key=KEY), timeout_seconds=0.5
    )


async def test_a_revoked_token_is_for_an_operator(sandbox: Sandbox, twilio: TwilioAccount) -> None:
    await sandbox.revoke("twilio", TOKEN)

    assert "20003" in str(await fails(lambda: twilio.send_text(a_text(), key=KEY), Misconfigured))
    await fails(twilio.check, Misconfigured)


async def test_a_refused_connection_has_sent_nothing() -> None:
    await tells_that_nobody_listens(lambda url: lambda: an_account(url).send_text(a_text(), key=KEY))


async def test_nothing_is_written_after_the_send_window(sandbox: Sandbox) -> None:
    account = an_account(sandbox.url, TOKEN + "_unused_so_far")
    await keeps_the_send_window(sandbox, "twilio", lambda: account.send_text(a_text(), key=KEY))


async def test_accounts_loaded_again_share_one_pool_that_closes_with_its_loop(sandbox: Sandbox) -> None:
    client = await shares_one_pool(
        lambda: an_account(sandbox.url),
        lambda: an_account(sandbox.url, TOKEN + "_other"),
        lambda: an_account(sandbox.url, account_sid="AC" + "0b" * 16),
    )

    assert client.is_closed
