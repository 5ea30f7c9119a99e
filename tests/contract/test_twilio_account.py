from __future__ import annotations

import asyncio
import base64
import gc
import hashlib
import hmac
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest
import pytest_asyncio
from pydantic import ValidationError

from blocks.twilio_account import CALLBACK_RETRIES, TwilioAccount, told_at
from hub.errors import Misconfigured, OutcomeUnknown, ProviderError, RateLimited, Refused
from hub.exchange import Exchange
from hub.messages import SentText, TextRequest, text_reference
from tests.contract.account_kit import (
    TROUBLES,
    fails,
    gives_up_on_a_slow_answer,
    keeps_the_send_window,
    long_ago,
    tells_that_nobody_listens,
)
from tests.contract.sandbox_process import Sandbox, running_sandbox
from tests.contract.webhook_kit import SECRETS, calling_back

TOKEN = "rehearsal_twilio_token"
SID = "AC" + "0a" * 16
PHONE = "+14155550123"
KEY = "3f1c0000-0000-4000-8000-000000000001:order:o-1:text:1"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def sandbox(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Sandbox]:
    async with running_sandbox(tmp_path_factory.mktemp("sandbox")) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def twilio(sandbox: Sandbox) -> TwilioAccount:
    await sandbox.reset()
    return an_account(sandbox.url)


def an_account(url: str, token: str = TOKEN, timeout_seconds: float = 5, **changes: Any) -> TwilioAccount:
    fields = {"account_sid": SID, "from_number": "+15005550006", **changes}
    return TwilioAccount(api_key=token, base_url=f"{url}/twilio", timeout_seconds=timeout_seconds, **fields)


def a_text(**changes: Any) -> TextRequest:
    return TextRequest(**{"to": PHONE, "text": "Your order o-1 is on its way.", **changes})


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


async def test_the_customer_reads_our_words_and_a_short_reference(sandbox: Sandbox, twilio: TwilioAccount) -> None:
    await twilio.send_text(a_text(), key=KEY)

    [message] = await sandbox.objects("twilio", "message")
    assert message["body"] == f"Your order o-1 is on its way. {text_reference(KEY)}"
    assert (message["to"], message["from"]) == (PHONE, "+15005550006")


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


async def test_the_callback_address_names_the_effect_and_asks_for_retries(sandbox: Sandbox, twilio: TwilioAccount) -> None:
    await twilio.send_text(a_text(status_callback="https://hooks.example.com/webhooks/twilio"), key=KEY)

    [message] = await sandbox.objects("twilio", "message")
    quoted = KEY.replace(":", "%3A")
    assert message["status_callback"] == f"https://hooks.example.com/webhooks/twilio?effect={quoted}#{CALLBACK_RETRIES}"
    assert told_at("https://example.com/?a=b#rc=0", "k") == "https://example.com/?a=b&effect=k#rc=0"


async def test_every_status_is_told_at_an_address_that_names_the_effect_and_is_signed(tmp_path: Path) -> None:
    async with calling_back(tmp_path) as (sandbox, receiver):
        sent = await an_account(sandbox.url).send_text(a_text(status_callback=f"{receiver.url}/twilio"), key=KEY)
        came = await receiver.until_count(3, "twilio")

    assert {one.target for one in came} == {f"/webhooks/twilio?{urlencode({'effect': KEY})}"}
    told = [dict(parse_qsl(one.body.decode())) for one in came]
    assert {one["MessageSid"] for one in told} == {sent.sid}
    assert {one["MessageStatus"] for one in told} == {"queued", "sent", "delivered"}
    for one, fields in zip(came, told, strict=True):
        signed = f"{receiver.url.removesuffix('/webhooks')}{one.target}" + "".join(name + fields[name] for name in sorted(fields))
        proof = hmac.digest(SECRETS["twilio"].encode(), signed.encode(), hashlib.sha1)
        assert one.headers["X-Twilio-Signature"] == base64.b64encode(proof).decode()


def test_a_reference_is_short_and_another_one_for_every_effect_and_hub() -> None:
    keys = [
        f"{hub}:{kind}:{step}:1" for hub in ("h-1", "h-2") for kind in ("order:o-1", "signup:o-1") for step in ("text", "text.2", "late")
    ]
    references = {text_reference(key) for key in keys}

    assert len(references) == len(keys)
    assert all(reference.startswith("Ref o-1.") for reference in references)
    assert all(len(reference) == len("Ref o-1.") + 6 for reference in references)
    assert len(text_reference(f"h-1:order:{'o' * 64}:text:1")) < 50


@pytest.mark.parametrize("number", ["", "4155550123", "+1 415 555 0123", "+0123456789", "+1415555012x", "+" + "1" * 16])
def test_a_number_that_is_not_as_the_world_writes_it_is_never_sent(number: str) -> None:
    with pytest.raises(ValidationError):
        a_text(to=number)


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


def test_the_token_signs_the_webhooks_also_the_one_before() -> None:
    account = an_account("http://127.0.0.1:1", previous_webhook_secret="rehearsal_token_before")

    assert [secret.get_secret_value() for secret in account.webhook_secrets] == [TOKEN, "rehearsal_token_before"]


@pytest.mark.parametrize(("trouble", "kind", "happened"), TROUBLES)
async def test_every_trouble_is_one_of_our_errors(
    sandbox: Sandbox, twilio: TwilioAccount, trouble: dict[str, Any], kind: type[ProviderError], happened: int
) -> None:
    await sandbox.fault("twilio", "send text", **trouble)
    account = an_account(sandbox.url, timeout_seconds=0.5) if trouble["what"] == "hang" else twilio

    exchange = Exchange()
    error = await fails(lambda: account.send_text(a_text(), key=KEY), kind, exchange)

    assert exchange.sent
    assert await sandbox.count("twilio", "text") == happened
    if isinstance(error, RateLimited):
        assert error.retry_after_seconds == 7
    if kind is OutcomeUnknown:
        found = await twilio.find_text(a_text(), key=KEY, since=long_ago())
        assert isinstance(found, SentText) is bool(happened)


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
    async def a_life() -> Any:
        client = await an_account(sandbox.url).get_client()
        assert await an_account(sandbox.url).get_client() is client
        assert await an_account(sandbox.url, TOKEN + "_other").get_client() is not client
        assert await an_account(sandbox.url, account_sid="AC" + "0b" * 16).get_client() is not client
        await an_account(sandbox.url).check()
        return client

    client = await asyncio.to_thread(asyncio.run, a_life())

    assert client.is_closed
    gc.collect()  # a connection left open would warn now, and a warning is an error
