"""The rehearsal Stripe after the payment: what goes back, settles later, is held, or is canceled."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import stripe

from tests.contract.sandbox_process import Sandbox
from tests.contract.test_sandbox_stripe import a_payment, account_at, until

# The SDK passes its form to httpx the old way; that is the SDK's to mend.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")


@pytest.fixture(scope="module")
async def account(sandbox: Sandbox) -> AsyncIterator[stripe.StripeClient]:
    async with account_at(sandbox) as client:
        yield client


async def test_refunds_never_exceed_what_was_paid(sandbox: Sandbox, account: stripe.StripeClient) -> None:
    intent = await account.v1.payment_intents.create_async(a_payment("o-back"))
    refund = account.v1.refunds.create_async
    first = await refund({"payment_intent": intent.id, "amount": 1500})
    with pytest.raises(stripe.InvalidRequestError, match="greater than unrefunded amount"):
        await refund({"payment_intent": intent.id, "amount": 500})
    rest = await refund({"payment_intent": intent.id})
    with pytest.raises(stripe.InvalidRequestError) as refused:
        await refund({"payment_intent": intent.id})

    assert refused.value.code == "charge_already_refunded"
    assert (first.status, rest.amount) == ("succeeded", 499)
    listed = await account.v1.refunds.list_async({"payment_intent": intent.id})
    assert [one.id for one in listed.data] == [rest.id, first.id]
    assert sum(effect["amount"] for effect in await sandbox.effects("stripe", "refund", "o-back")) == 1999


async def test_only_money_that_came_can_go_back(account: stripe.StripeClient) -> None:
    intent = await account.v1.payment_intents.create_async(a_payment("o-open", confirm=False))
    with pytest.raises(stripe.InvalidRequestError, match="does not have a successful charge"):
        await account.v1.refunds.create_async({"payment_intent": intent.id})


@pytest.mark.parametrize(
    ("card", "at_first", "later"), [("pm_card_pendingRefund", "pending", "succeeded"), ("pm_card_refundFail", "succeeded", "failed")]
)
async def test_some_refunds_change_their_mind(account: stripe.StripeClient, card: str, at_first: str, later: str) -> None:
    intent = await account.v1.payment_intents.create_async(a_payment(f"o-{card}", payment_method=card))
    refund = await account.v1.refunds.create_async({"payment_intent": intent.id})
    assert refund.status == at_first

    async def changed() -> bool:
        return (await account.v1.refunds.retrieve_async(refund.id)).status == later

    await until(changed)


@pytest.mark.parametrize(
    ("method", "later"), [("pm_usBankAccount", "succeeded"), ("pm_usBankAccount_insufficientFunds", "requires_payment_method")]
)
async def test_a_bank_debit_settles_later(account: stripe.StripeClient, method: str, later: str) -> None:
    intent = await account.v1.payment_intents.create_async(a_payment(f"o-{method}", payment_method=method))
    assert intent.status == "processing"

    async def settled() -> bool:
        return (await account.v1.payment_intents.retrieve_async(intent.id)).status == later

    await until(settled)


async def test_a_payment_is_canceled_once_and_never_after_it_succeeded(sandbox: Sandbox, account: stripe.StripeClient) -> None:
    payments = account.v1.payment_intents
    waiting = await payments.create_async(a_payment("o-cancel", payment_method="pm_card_authenticationRequired"))
    assert (await payments.cancel_async(waiting.id)).status == "canceled"
    paid = await payments.create_async(a_payment("o-too-late"))
    for intent in (waiting, paid):
        with pytest.raises(stripe.InvalidRequestError) as refused:
            await payments.cancel_async(intent.id)
        assert refused.value.code == "payment_intent_unexpected_state"
    assert await sandbox.count("stripe", "payment_canceled", "o-cancel") == 1


async def test_held_money_is_a_charge_only_when_it_is_captured(sandbox: Sandbox, account: stripe.StripeClient) -> None:
    held = await account.v1.payment_intents.create_async(a_payment("o-held", capture_method="manual"))
    assert held.status == "requires_capture"
    assert await sandbox.count("stripe", "charge", "o-held") == 0
    assert (await account.v1.payment_intents.capture_async(held.id, {"amount_to_capture": 1000})).amount_received == 1000
    [charge] = await sandbox.effects("stripe", "charge", "o-held")
    assert charge["amount"] == 1000
