"""Where Twilio tells what becomes of a text, and how that is signed."""

from __future__ import annotations

import base64
import hashlib
import hmac
from pathlib import Path
from urllib.parse import parse_qsl, urlencode

import pytest_asyncio

from blocks.twilio_account import CALLBACK_RETRIES, TwilioAccount, told_at
from tests.contract.sandbox_process import Sandbox
from tests.contract.twilio_kit import KEY, TOKEN, a_text, an_account
from tests.contract.webhook_kit import SECRETS, calling_back


@pytest_asyncio.fixture(loop_scope="session")
async def twilio(sandbox: Sandbox) -> TwilioAccount:
    await sandbox.reset()
    return an_account(sandbox.url)


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


def test_the_token_signs_the_webhooks_also_the_one_before() -> None:
    account = an_account("http://127.0.0.1:1", previous_webhook_secret="rehearsal_token_before")

    assert [secret.get_secret_value() for secret in account.webhook_secrets] == [TOKEN, "rehearsal_token_before"]
