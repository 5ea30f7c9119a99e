from __future__ import annotations

import asyncio
import logging
import time
from datetime import UTC, datetime
from typing import Any

import pytest
import pytest_asyncio

from blocks.stripe_account import StripeAccount
from hub.errors import Misconfigured, OutcomeUnknown, Refused
from hub.exchange import Exchange
from hub.payments import CancelRequest, Payment, PaymentRequest, PaymentStatus, RefundRequest, RefundStatus
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

KEY = "sk_test_rehearsal_stripe"


@pytest_asyncio.fixture(loop_scope="session")
async def stripe(sandbox: Sandbox) -> StripeAccount:
    await sandbox.reset()
    return an_account(sandbox.url)


def an_account(url: str, key: str = KEY, timeout_seconds: float = 5) -> StripeAccount:
    return StripeAccount(api_key=key, base_url=f"{url}/stripe", timeout_seconds=timeout_seconds)


def a_payment(**changes: Any) -> PaymentRequest:
    request = {
        "amount": 2999,
        "currency": "usd",
        "payment_method": "pm_card_visa",
        "description": "Order o-1",
        "metadata": {"order_id": "o-1", "hub_id": "h-1"},
    }
    return PaymentRequest(**{**request, **changes})


def a_refund(payment: Payment, amount: int = 2999) -> RefundRequest:
    return RefundRequest(payment_id=payment.payment_id, amount=amount, currency="usd", metadata={"order_id": "o-1"})


async def test_a_payment_is_taken_with_our_reference_on_it(sandbox: Sandbox, stripe: StripeAccount) -> None:
    exchange = Exchange()
    payment = await stripe.take_payment(a_payment(), key="h-1:order:o-1:payment:1")

    assert payment.status is PaymentStatus.SUCCEEDED
    assert (payment.amount, payment.currency) == (2999, "usd")
    assert payment.charge_id
    assert not exchange.sent, "an exchange of nobody's concern stays untouched"
    [charge] = await sandbox.effects("stripe", "charge")
    assert (charge["subject"], charge["amount"]) == ("o-1", 2999)


async def test_the_same_key_gives_the_same_payment(sandbox: Sandbox, stripe: StripeAccount) -> None:
    first = await stripe.take_payment(a_payment(), key="k")

    assert await stripe.take_payment(a_payment(), key="k") == first
    assert await sandbox.count("stripe", "charge") == 1


async def test_a_declined_card_is_a_refusal_with_the_banks_code(stripe: StripeAccount) -> None:
    request = a_payment(payment_method="pm_card_chargeDeclinedInsufficientFunds")
    exchange = Exchange()
    refusal = await fails(lambda: stripe.take_payment(request, key="k"), Refused, exchange)

    assert isinstance(refusal, Refused)
    assert refusal.code == "insufficient_funds"
    assert refusal.reference is not None
    assert refusal.reference.startswith("pi_")
    assert exchange.http_status == 402
    assert exchange.request_id
    assert exchange.provider_text == "Your card has insufficient funds."
    assert (await stripe.read_payment(refusal.reference)).status is PaymentStatus.FAILED


async def test_an_amount_that_stripe_does_not_take_is_a_refusal(stripe: StripeAccount) -> None:
    refusal = await fails(lambda: stripe.take_payment(a_payment(amount=100_000_000), key="k"), Refused)

    assert isinstance(refusal, Refused)
    assert refusal.code == "amount_too_large"


async def test_an_unknown_payment_method_is_for_an_operator(stripe: StripeAccount) -> None:
    await fails(lambda: stripe.take_payment(a_payment(payment_method="pm_nobody_knows"), key="k"), Misconfigured)


async def test_a_customer_who_must_prove_who_they_are_is_sent_to_their_bank(stripe: StripeAccount) -> None:
    request = a_payment(payment_method="pm_card_threeDSecure2Required", return_url="https://shop.example.com/back")

    payment = await stripe.take_payment(request, key="k")

    assert payment.status is PaymentStatus.NEEDS_CUSTOMER
    assert payment.next_action is not None
    assert payment.next_action.type == "redirect_to_url"
    assert payment.next_action.url is not None


async def test_a_bank_debit_is_processing_and_succeeds_later(stripe: StripeAccount) -> None:
    payment = await stripe.take_payment(a_payment(payment_method="pm_usBankAccount", return_url="https://shop.example.com/back"), key="k")
    assert payment.status is PaymentStatus.PROCESSING

    deadline = time.monotonic() + 20
    while payment.status is PaymentStatus.PROCESSING and time.monotonic() < deadline:
        await asyncio.sleep(0.05)
        payment = await stripe.read_payment(payment.payment_id)
    assert payment.status is PaymentStatus.SUCCEEDED


async def test_a_payment_is_found_by_our_reference(stripe: StripeAccount) -> None:
    payment = await stripe.take_payment(a_payment(), key="k-1")
    await stripe.take_payment(a_payment(), key="k-2")

    assert await stripe.find_payment(a_payment(), key="k-1", since=long_ago()) == payment
    assert await stripe.find_payment(a_payment(), key="k-3", since=long_ago()) is None
    assert await stripe.find_payment(a_payment(), key="k-1", since=datetime.fromtimestamp(time.time() + 120, UTC)) is None


async def test_a_payment_is_found_behind_a_hundred_others(stripe: StripeAccount) -> None:
    payment = await stripe.take_payment(a_payment(), key="the first")
    for number in range(100):
        await stripe.take_payment(a_payment(), key=f"k-{number}")

    assert await stripe.find_payment(a_payment(), key="the first", since=long_ago()) == payment


async def test_a_payment_that_waits_for_its_customer_can_be_cancelled(stripe: StripeAccount) -> None:
    waiting = await stripe.take_payment(a_payment(payment_method="pm_card_threeDSecure2Required", return_url="https://a.example/"), key="k")

    cancelled = await stripe.cancel_payment(CancelRequest(payment_id=waiting.payment_id), key="c")

    assert cancelled.status is PaymentStatus.CANCELED
    assert (await stripe.cancel_payment(CancelRequest(payment_id=waiting.payment_id), key="again")).status is PaymentStatus.CANCELED


async def test_cancelling_what_has_succeeded_says_that_it_has_succeeded(stripe: StripeAccount) -> None:
    paid = await stripe.take_payment(a_payment(), key="k")

    assert await stripe.cancel_payment(CancelRequest(payment_id=paid.payment_id), key="c") == paid


async def test_cancelling_what_does_not_exist_is_for_an_operator(stripe: StripeAccount) -> None:
    await fails(lambda: stripe.cancel_payment(CancelRequest(payment_id="pi_nobody_knows"), key="c"), Misconfigured)


async def test_money_goes_back_once_and_is_found_again(sandbox: Sandbox, stripe: StripeAccount) -> None:
    paid = await stripe.take_payment(a_payment(), key="k")

    refund = await stripe.refund_payment(a_refund(paid), key="r")

    assert (refund.status, refund.amount, refund.payment_id) == (RefundStatus.SUCCEEDED, 2999, paid.payment_id)
    assert await stripe.refund_payment(a_refund(paid), key="r") == refund
    assert await stripe.find_refund(a_refund(paid), key="r", since=long_ago()) == refund
    assert await stripe.find_refund(a_refund(paid), key="other", since=long_ago()) is None
    assert await stripe.read_refund(refund.refund_id) == refund
    assert await sandbox.count("stripe", "refund") == 1


async def test_money_that_went_back_already_is_a_refusal(stripe: StripeAccount) -> None:
    paid = await stripe.take_payment(a_payment(), key="k")
    await stripe.refund_payment(a_refund(paid), key="r")

    refusal = await fails(lambda: stripe.refund_payment(a_refund(paid), key="r-2"), Refused)

    assert isinstance(refusal, Refused)
    assert refusal.code == "charge_already_refunded"


async def test_a_refund_that_takes_its_time_is_not_yet_money_back(stripe: StripeAccount) -> None:
    paid = await stripe.take_payment(a_payment(payment_method="pm_card_pendingRefund"), key="k")

    assert (await stripe.refund_payment(a_refund(paid), key="r")).status is RefundStatus.PENDING


@pytest.mark.parametrize("trouble", TROUBLES)
async def test_every_trouble_is_one_of_our_errors(sandbox: Sandbox, stripe: StripeAccount, trouble: Trouble) -> None:
    error = await survives(
        trouble,
        sandbox,
        ("stripe", "create payment", "charge"),
        lambda seconds: an_account(sandbox.url, timeout_seconds=seconds).take_payment(a_payment(), key="k"),
    )
    if isinstance(error, OutcomeUnknown):
        assert not error.same_key_is_useless
    if trouble.kind is OutcomeUnknown and trouble.fault.get("status") is None:
        await sandbox.clear_faults()
        await stripe.take_payment(a_payment(), key="k")  # under the same key nothing happens twice
        assert await sandbox.count("stripe", "charge") == 1


async def test_a_failure_that_stripe_has_kept_under_the_key_makes_the_key_useless(sandbox: Sandbox, stripe: StripeAccount) -> None:
    await sandbox.fault("stripe", "create payment", "status", status=500, when="after")
    first = await fails(lambda: stripe.take_payment(a_payment(), key="k"), OutcomeUnknown)
    replayed = await fails(lambda: stripe.take_payment(a_payment(), key="k"), OutcomeUnknown)

    assert isinstance(first, OutcomeUnknown)
    assert isinstance(replayed, OutcomeUnknown)
    assert (first.same_key_is_useless, replayed.same_key_is_useless) == (False, True)
    found = await stripe.find_payment(a_payment(), key="k", since=long_ago())
    assert found is not None
    assert found.status is PaymentStatus.SUCCEEDED


async def test_a_key_that_is_in_use_leaves_the_outcome_open(sandbox: Sandbox, stripe: StripeAccount) -> None:
    await sandbox.fault("stripe", "create payment", "conflict")
    error = await fails(lambda: stripe.take_payment(a_payment(), key="k"), OutcomeUnknown)

    assert isinstance(error, OutcomeUnknown)
    assert not error.same_key_is_useless


async def test_a_key_that_belongs_to_another_request_is_useless(stripe: StripeAccount) -> None:
    await stripe.take_payment(a_payment(), key="k")
    error = await fails(lambda: stripe.take_payment(a_payment(amount=3000), key="k"), OutcomeUnknown)

    assert isinstance(error, OutcomeUnknown)
    assert error.same_key_is_useless


@pytest.mark.parametrize(
    "lie",
    [
        {"amount": 1},
        {"currency": "eur"},
        {"amount_received": 1},
        {"status": "requires_capture"},
        {"amount": "2999"},
        {"id": None},
        {"id": "pi_\0"},
    ],
    ids=str,
)
async def test_an_answer_about_other_money_is_not_believed(sandbox: Sandbox, stripe: StripeAccount, lie: dict[str, Any]) -> None:
    truth = {"id": "pi_1", "object": "payment_intent", "amount": 2999, "currency": "usd", "status": "succeeded", "latest_charge": "ch_1"}
    await sandbox.fault("stripe", "create payment", "garbage", when="after", body={**truth, **lie})

    await fails(lambda: stripe.take_payment(a_payment(), key="k"), OutcomeUnknown)


async def test_a_revoked_key_is_for_an_operator(sandbox: Sandbox, stripe: StripeAccount) -> None:
    await sandbox.revoke("stripe", KEY)

    await fails(lambda: stripe.take_payment(a_payment(), key="k"), Misconfigured)
    await fails(stripe.check, Misconfigured)


async def test_a_refused_connection_has_sent_nothing() -> None:
    await tells_that_nobody_listens(lambda url: lambda: an_account(url).take_payment(a_payment(), key="k"))


async def test_nothing_is_written_after_the_send_window(sandbox: Sandbox) -> None:
    account = an_account(sandbox.url, "sk_test_rehearsal_unused_so_far")
    await keeps_the_send_window(sandbox, "stripe", lambda: account.take_payment(a_payment(), key="k"))


async def test_the_doctor_hears_that_the_key_works(stripe: StripeAccount) -> None:
    assert await stripe.check() == "Stripe accepts the key; it moves no real money."


async def test_no_key_and_no_provider_text_reaches_a_log(stripe: StripeAccount, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    await stripe.take_payment(a_payment(), key="k")
    await fails(lambda: stripe.take_payment(a_payment(payment_method="pm_card_chargeDeclined"), key="k-2"), Refused)

    assert KEY not in caplog.text
    assert "pm_card_visa" not in caplog.text
    assert "Your card was declined" not in caplog.text


async def test_accounts_loaded_again_share_one_pool_that_closes_with_its_loop(sandbox: Sandbox) -> None:
    first, second = [
        await shares_one_pool(
            lambda: an_account(sandbox.url),
            lambda: an_account(sandbox.url, "sk_test_rehearsal_other"),
            lambda: an_account(sandbox.url, timeout_seconds=6),
        )
        for _ in range(2)
    ]

    assert first is not second
