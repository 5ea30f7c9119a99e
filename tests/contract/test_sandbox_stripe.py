"""The rehearsal Stripe against the official SDK: what it charges, refuses, remembers and gives back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
import stripe

from tests.contract.sandbox_process import Sandbox

# The SDK passes its form to httpx the old way; that is the SDK's to mend.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")

NO_REDIRECTS = {"enabled": True, "allow_redirects": "never"}


@asynccontextmanager
async def account_at(sandbox: Sandbox) -> AsyncIterator[stripe.StripeClient]:
    client = stripe.HTTPXClient(timeout=10)
    yield stripe.StripeClient("sk_test_hub", base_addresses={"api": f"{sandbox.url}/stripe"}, http_client=client, max_network_retries=0)
    await client.close_async()  # type: ignore[no-untyped-call]  # the SDK leaves it untyped


@pytest.fixture(scope="module")
async def account(sandbox: Sandbox) -> AsyncIterator[stripe.StripeClient]:
    async with account_at(sandbox) as client:
        yield client


def a_payment(order: str, **more: Any) -> Any:
    return {
        "amount": 1999,
        "currency": "usd",
        "confirm": True,
        "payment_method": "pm_card_visa",
        "automatic_payment_methods": NO_REDIRECTS,
        "metadata": {"order_id": order, "hub_id": "h"},
        **more,
    }


async def until(condition: Callable[[], Awaitable[bool]], seconds: float = 5) -> None:
    deadline = time.monotonic() + seconds
    while not await condition():
        assert time.monotonic() < deadline, "it did not come true in time"
        await asyncio.sleep(0.02)


async def test_a_confirmed_payment_charges_the_card_once_and_says_so(sandbox: Sandbox, account: stripe.StripeClient) -> None:
    intent = await account.v1.payment_intents.create_async(a_payment("o-paid", expand=["latest_charge"]))

    assert (intent.status, intent.amount_received) == ("succeeded", 1999)
    assert isinstance(intent.latest_charge, stripe.Charge)
    assert intent.latest_charge.paid
    [effect] = await sandbox.effects("stripe", "charge", "o-paid")
    assert (effect["id"], effect["amount"], effect["currency"]) == (intent.latest_charge.id, 1999, "usd")
    assert effect["reference"] == {"order_id": "o-paid", "hub_id": "h", "payment_intent": intent.id}


async def test_the_same_key_gives_the_first_answer_again_and_charges_once(sandbox: Sandbox, account: stripe.StripeClient) -> None:
    create = account.v1.payment_intents.create_async
    first = await create(a_payment("o-same"), {"idempotency_key": "same"})
    again = await create(a_payment("o-same"), {"idempotency_key": "same"})

    assert first.id == again.id
    assert first.last_response is not None
    assert again.last_response is not None
    assert "Idempotent-Replayed" not in first.last_response.headers
    assert again.last_response.headers["Idempotent-Replayed"] == "true"
    assert await sandbox.count("stripe", "charge", "o-same") == 1


async def test_a_key_with_other_parameters_or_another_address_is_a_mistake(account: stripe.StripeClient) -> None:
    first = await account.v1.payment_intents.create_async(a_payment("o-mix"), {"idempotency_key": "mix"})
    with pytest.raises(stripe.IdempotencyError):
        await account.v1.payment_intents.create_async(a_payment("o-mix", amount=5), {"idempotency_key": "mix"})
    with pytest.raises(stripe.IdempotencyError, match="same endpoint"):
        await account.v1.refunds.create_async({"payment_intent": first.id}, {"idempotency_key": "mix"})


async def test_a_key_belongs_to_one_api_key(sandbox: Sandbox) -> None:
    async with httpx.AsyncClient(base_url=f"{sandbox.url}/stripe", trust_env=False) as http:
        form = {"amount": "5", "currency": "usd", "metadata[order_id]": "o-two-keys"}
        made = [
            await http.post("/v1/payment_intents", data=form, headers={"Authorization": f"Bearer {key}", "Idempotency-Key": "k"})
            for key in ("sk_test_one", "rk_test_two")
        ]
    assert made[0].json()["id"] != made[1].json()["id"]


async def test_a_key_in_use_is_a_conflict_until_the_first_request_is_done(sandbox: Sandbox, account: stripe.StripeClient) -> None:
    fault = await sandbox.fault("stripe", "create payment", "hang", match={"subject": "o-busy"})
    create = account.v1.payment_intents.create_async
    first = asyncio.create_task(create(a_payment("o-busy"), {"idempotency_key": "busy"}))
    await sandbox.until_in_flight("stripe", "create payment", worked=False)

    with pytest.raises(stripe.APIError) as conflict:
        await create(a_payment("o-busy"), {"idempotency_key": "busy"})
    assert conflict.value.http_status == 409
    assert conflict.value.error is not None
    assert conflict.value.error.code == "idempotency_key_in_use"

    await sandbox.release(fault)
    assert (await first).id == (await create(a_payment("o-busy"), {"idempotency_key": "busy"})).id
    assert await sandbox.count("stripe", "charge", "o-busy") == 1


@pytest.mark.parametrize(
    ("card", "code", "decline_code"),
    [
        ("pm_card_chargeDeclined", "card_declined", "generic_decline"),
        ("pm_card_chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds"),
        ("pm_card_visa_chargeDeclinedLostCard", "card_declined", "lost_card"),
        ("pm_card_chargeDeclinedExpiredCard", "expired_card", "expired_card"),
        ("pm_card_chargeDeclinedFraudulent", "card_declined", "fraudulent"),
        ("pm_card_chargeDeclinedProcessingError", "processing_error", "processing_error"),
    ],
)
async def test_a_declined_card_is_a_card_error_that_the_key_repeats(
    sandbox: Sandbox, account: stripe.StripeClient, card: str, code: str, decline_code: str
) -> None:
    seen = []
    for _ in range(2):
        with pytest.raises(stripe.CardError) as declined:
            await account.v1.payment_intents.create_async(a_payment(f"o-{card}", payment_method=card), {"idempotency_key": card})
        assert declined.value.error is not None
        assert (declined.value.code, declined.value.error.decline_code) == (code, decline_code)
        assert declined.value.error.payment_intent is not None
        seen.append(declined.value.error.payment_intent.id)

    assert seen[0] == seen[1]
    assert (await account.v1.payment_intents.retrieve_async(seen[0])).status == "requires_payment_method"
    assert await sandbox.count("stripe", "charge", f"o-{card}") == 0


async def test_what_is_not_valid_is_not_kept_under_the_key(account: stripe.StripeClient) -> None:
    create = account.v1.payment_intents.create_async
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"amount": 0}, "amount"),
        ({"amount": "1.5"}, "amount"),
        ({"currency": "zzz"}, "currency"),
        ({"payment_method": "pm_nobody"}, "payment_method"),
        ({"colour": "red"}, "colour"),
        ({"customer": "cus_nobody"}, "customer"),
    ]
    for change, param in wrong:
        with pytest.raises(stripe.InvalidRequestError) as refused:
            await create(a_payment("o-mended", **change), {"idempotency_key": "mended"})
        assert refused.value.param == param
    assert (await create(a_payment("o-mended"), {"idempotency_key": "mended"})).status == "succeeded"


async def test_confirming_wants_a_return_url_or_no_redirects(account: stripe.StripeClient) -> None:
    create = account.v1.payment_intents.create_async
    with pytest.raises(stripe.InvalidRequestError, match="return_url"):
        await create(a_payment("o-url", automatic_payment_methods={"enabled": True}))
    away = a_payment("o-url", automatic_payment_methods={"enabled": True}, return_url="https://shop.example/back")
    assert (await create(away)).status == "succeeded"


@pytest.mark.parametrize(
    ("outcome", "status", "redirect"), [("approve", "succeeded", "succeeded"), ("fail", "requires_payment_method", "failed")]
)
async def test_a_customer_proves_who_it_is_on_the_banks_page(
    sandbox: Sandbox, account: stripe.StripeClient, outcome: str, status: str, redirect: str
) -> None:
    order = f"o-3ds-{outcome}"
    wanted = a_payment(order, payment_method="pm_card_authenticationRequired", return_url="https://shop.example/back")
    intent = await account.v1.payment_intents.create_async(wanted)
    assert intent.status == "requires_action"
    assert intent.next_action is not None
    assert intent.next_action.redirect_to_url is not None
    page = intent.next_action.redirect_to_url.url
    assert page is not None
    assert await sandbox.count("stripe", "charge", order) == 0

    async with httpx.AsyncClient(trust_env=False) as browser:
        assert "1999 usd" in (await browser.get(page)).text
        sent = await browser.post(page, data={"outcome": outcome})
        again = await browser.post(page, data={"outcome": outcome})
    assert sent.status_code == 303
    assert sent.headers["location"].startswith("https://shop.example/back?payment_intent=pi_")
    assert f"redirect_status={redirect}" in sent.headers["location"]
    assert again.status_code == 409
    assert (await account.v1.payment_intents.retrieve_async(intent.id)).status == status
    assert await sandbox.count("stripe", "charge", order) == (1 if outcome == "approve" else 0)


async def test_without_a_return_url_the_sdk_of_the_browser_is_asked(account: stripe.StripeClient) -> None:
    intent = await account.v1.payment_intents.create_async(a_payment("o-sdk", payment_method="pm_card_threeDSecure2Required"))
    assert intent.next_action is not None
    assert intent.next_action.type == "use_stripe_sdk"


async def test_payments_are_found_again_by_customer_time_page_and_search(account: stripe.StripeClient) -> None:
    payments = account.v1.payment_intents
    customer = await account.v1.customers.create_async({"email": "ada@example.com", "metadata": {"order_id": "o-list"}})
    made = [await payments.create_async(a_payment(f"o-list-{n}", customer=customer.id)) for n in range(3)]
    newest_first = [intent.id for intent in reversed(made)]

    page = await payments.list_async({"customer": customer.id, "limit": 2, "created": {"gte": made[0].created}})
    rest = await payments.list_async({"customer": customer.id, "starting_after": page.data[-1].id})
    assert ([one.id for one in page.data], page.has_more) == (newest_first[:2], True)
    assert ([one.id for one in rest.data], rest.has_more) == (newest_first[2:], False)
    assert [one.id async for one in page.auto_paging_iter()] == newest_first
    assert not (await payments.list_async({"customer": customer.id, "created": {"gte": made[0].created + 1000}})).data

    with pytest.raises(stripe.InvalidRequestError, match="Invalid timestamp"):
        await payments.list_async({"created": {"gte": -1}})

    async def indexed() -> bool:
        found = await payments.search_async({"query": "metadata['order_id']:'o-list-1' AND status:'succeeded'"})
        return [one.id for one in found.data] == [made[1].id]

    await until(indexed)


async def test_events_tell_the_story_of_a_payment(account: stripe.StripeClient) -> None:
    intent = await account.v1.payment_intents.create_async(a_payment("o-events"), {"idempotency_key": "events"})
    events = (await account.v1.events.list_async({"types": ["payment_intent.created", "payment_intent.succeeded"], "limit": 2})).data
    assert [event.type for event in events] == ["payment_intent.succeeded", "payment_intent.created"]
    assert all(event.data.object["id"] == intent.id for event in events)


async def test_keys_that_are_not_for_tests_are_refused_and_revoked_ones_too(sandbox: Sandbox, account: stripe.StripeClient) -> None:
    with pytest.raises(stripe.AuthenticationError):
        await account.v1.balance.retrieve_async(options={"api_key": "sk_live_1"})
    await sandbox.revoke("stripe", "sk_test_hub")
    with pytest.raises(stripe.AuthenticationError) as refused:
        await account.v1.balance.retrieve_async()
    assert refused.value.error is not None
    assert refused.value.error.code == "api_key_expired"
    await sandbox.restore("stripe", "sk_test_hub")
    assert (await account.v1.balance.retrieve_async()).available[0].currency == "usd"
