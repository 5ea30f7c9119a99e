from __future__ import annotations

import asyncio
import logging
import time

import pytest
import pytest_asyncio

from blocks.sendgrid_account import SendGridAccount
from hub.errors import Misconfigured, NotSent, OutcomeUnknown, Refused
from hub.exchange import Exchange
from hub.messages import Mail
from tests.contract.account_kit import (
    CUSTOMER,
    TROUBLES,
    Trouble,
    fails,
    keeps_the_send_window,
    shares_one_pool,
    survives,
    tells_that_nobody_listens,
)
from tests.contract.sandbox_process import Sandbox

KEY = "SG.rehearsal.sendgrid"


@pytest_asyncio.fixture(loop_scope="session")
async def sendgrid(sandbox: Sandbox) -> SendGridAccount:
    await sandbox.reset()
    return an_account(sandbox.url)


def an_account(url: str, key: str = KEY, timeout_seconds: float = 5) -> SendGridAccount:
    return SendGridAccount(
        api_key=key, base_url=f"{url}/sendgrid", from_email="orders@example.com", from_name="Orders", timeout_seconds=timeout_seconds
    )


def a_mail(to_email: str = CUSTOMER) -> Mail:
    return Mail(
        to_email=to_email,
        to_name="Bob Builder",
        subject="Your order o-1",
        text="It is on its way.",
        html="<p>It is on its way.</p>",
        metadata={"order_id": "o-1", "hub_id": "h-1"},
    )


async def test_a_mail_is_accepted_with_our_reference_on_it(sandbox: Sandbox, sendgrid: SendGridAccount) -> None:
    exchange = Exchange()
    sent = await sendgrid.send_mail(a_mail(), key="h-1:order:o-1:mail:1")

    [mail] = await sandbox.objects("sendgrid", "mail")
    assert mail["message_id"] == sent.message_id
    assert mail["to"] == [{"email": CUSTOMER, "name": "Bob Builder"}]
    assert mail["from"] == {"email": "orders@example.com", "name": "Orders"}
    assert mail["custom_args"] == {"order_id": "o-1", "hub_id": "h-1", "effect": "h-1:order:o-1:mail:1"}
    assert [part["type"] for part in mail["content"]] == ["text/plain", "text/html"]
    assert not exchange.sent, "an exchange of nobody's concern stays untouched"


async def test_a_recipient_that_is_no_address_is_a_refusal(sandbox: Sandbox, sendgrid: SendGridAccount) -> None:
    exchange = Exchange()
    refusal = await fails(lambda: sendgrid.send_mail(a_mail("nobody"), key="k"), Refused, exchange)

    assert isinstance(refusal, Refused)
    assert refusal.code == "invalid_recipient"
    assert exchange.http_status == 400
    assert exchange.provider_text is not None
    assert await sandbox.count("sendgrid", "mail") == 0


async def test_a_sender_that_is_no_address_is_for_an_operator(sandbox: Sandbox) -> None:
    account = SendGridAccount(api_key=KEY, base_url=f"{sandbox.url}/sendgrid", from_email="orders@nowhere")

    await fails(lambda: account.send_mail(a_mail(), key="k"), Misconfigured)


async def test_an_accepted_mail_without_an_id_leaves_the_outcome_open(sandbox: Sandbox, sendgrid: SendGridAccount) -> None:
    await sandbox.fault("sendgrid", "send mail", "status", "after", status=202, body="")

    await fails(lambda: sendgrid.send_mail(a_mail(), key="k"), OutcomeUnknown)


async def test_a_key_that_may_not_send_mail_is_for_an_operator(sandbox: Sandbox, sendgrid: SendGridAccount) -> None:
    await sandbox.fault("sendgrid", "read scopes", "garbage", body={"scopes": ["user.read"]})

    await fails(sendgrid.check, Misconfigured)


async def test_the_doctor_hears_that_the_key_works(sendgrid: SendGridAccount) -> None:
    assert await sendgrid.check() == "SendGrid accepts the key; it may send mail."


async def test_a_call_that_is_given_up_gives_its_thread_back(sandbox: Sandbox) -> None:
    account = an_account(sandbox.url, KEY + "_impatient", timeout_seconds=0.3)
    await sandbox.reset()
    await sandbox.fault("sendgrid", "send mail", "hang", times=None)
    outcomes = await asyncio.gather(*(account.send_mail(a_mail(), key=str(n)) for n in range(40)), return_exceptions=True)
    await sandbox.clear_faults()

    # Sixteen threads: who got none in time has surely sent nothing.
    assert {type(outcome) for outcome in outcomes} == {OutcomeUnknown, NotSent}
    assert (await account.send_mail(a_mail(), key="k")).message_id


async def test_a_mail_that_nobody_waits_for_any_more_is_not_begun(sandbox: Sandbox, sendgrid: SendGridAccount) -> None:
    await sandbox.fault("sendgrid", "send mail", "hang")
    waiting = asyncio.ensure_future(sendgrid.send_mail(a_mail(), key="k"))
    await sandbox.until_in_flight("sendgrid", "send mail")
    begun = time.monotonic()
    waiting.cancel()

    with pytest.raises(asyncio.CancelledError):
        await waiting
    await sandbox.clear_faults()
    assert time.monotonic() - begun < 2


async def test_no_key_and_no_mail_reaches_a_log(sendgrid: SendGridAccount, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    await sendgrid.send_mail(a_mail(), key="k")
    await fails(lambda: sendgrid.send_mail(a_mail("nobody@@example"), key="k"), Refused)

    for secret in (KEY, CUSTOMER, "on its way", "nobody@@example"):
        assert secret not in caplog.text


@pytest.mark.parametrize("trouble", TROUBLES)
async def test_every_trouble_is_one_of_our_errors(sandbox: Sandbox, sendgrid: SendGridAccount, trouble: Trouble) -> None:
    await survives(
        trouble,
        sandbox,
        ("sendgrid", "send mail", "mail"),
        lambda seconds: an_account(sandbox.url, timeout_seconds=seconds).send_mail(a_mail(), key="k"),
    )


async def test_a_revoked_key_is_for_an_operator(sandbox: Sandbox, sendgrid: SendGridAccount) -> None:
    await sandbox.revoke("sendgrid", KEY)

    await fails(lambda: sendgrid.send_mail(a_mail(), key="k"), Misconfigured)
    await fails(sendgrid.check, Misconfigured)


async def test_a_refused_connection_has_sent_nothing() -> None:
    await tells_that_nobody_listens(lambda url: lambda: an_account(url).send_mail(a_mail(), key="k"))


async def test_nothing_is_written_after_the_send_window(sandbox: Sandbox) -> None:
    account = an_account(sandbox.url, KEY + "_unused_so_far")
    await keeps_the_send_window(sandbox, "sendgrid", lambda: account.send_mail(a_mail(), key="k"))


async def test_accounts_loaded_again_share_one_pool_that_closes_with_its_loop(sandbox: Sandbox) -> None:
    client = await shares_one_pool(lambda: an_account(sandbox.url), lambda: an_account(sandbox.url, KEY + "_other"))

    assert client.threads._shutdown  # noqa: SLF001 - a pool has no public word for it
