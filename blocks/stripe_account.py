"""Stripe: taking money, looking for it, and giving it back."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import stripe
from pydantic import Field, SecretStr

from blocks.provider_account import REHEARSAL, ProviderAccount
from blocks.stripe_answers import payment_from, refund_from
from blocks.stripe_transport import PROVIDER, complaint_of, in_our_words, stripe_client
from hub.exchange import Exchange, exchanging
from hub.payments import CancelRequest, Payment, PaymentRequest, Refund, RefundRequest

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from blocks.addresses import Mode
    from blocks.translation import Call

PAGE, PAGES = 100, 20
CLOCKS_DIFFER = timedelta(seconds=60)
TEST_KEYS = ("sk_test_", "rk_test_")


class StripeAccount(ProviderAccount):
    """
    Credentials of one Stripe account, and the few things we ask of it.

    Every verb can raise, beside what it names:
        NotSent: No connection, or the send window was over; nothing happened.
        RateLimited: Asked too often; nothing happened.
        OutcomeUnknown: Connection lost, 5xx, or an answer nobody can read; it may have happened.
        Misconfigured: Bad key, or a request Stripe does not accept; nothing happened.

    Source: https://docs.stripe.com/api
    """

    _block_type_slug = "hub-stripe-account"  # ours, so it cannot meet a built-in one; never rename
    _block_type_name = "Hub Stripe Account"
    _description = "Takes payments and gives refunds through one Stripe account."

    provider: ClassVar[str] = PROVIDER
    keeps_idempotency_keys: ClassVar[bool] = True
    official_hosts: ClassVar[frozenset[str]] = frozenset({"api.stripe.com"})

    api_key: SecretStr = Field(min_length=8, description="Secret or restricted key (sk_… or rk_…).")
    base_url: str = Field(default="https://api.stripe.com", description="Where the API lives, without /v1.")

    @classmethod
    def kind_of_key(cls, key: str) -> Mode:
        """Return what ``key`` opens; what is no test key counts as live."""
        if not key.startswith(TEST_KEYS):
            return "live"
        return REHEARSAL if REHEARSAL in key else "test"

    async def get_client(self) -> stripe.StripeClient:
        """Return Stripe's own client for this event loop; it repeats nothing by itself."""
        return await self.pooled(partial(stripe_client, self.api_key.get_secret_value(), self.base_url, self.timeout_seconds))

    async def check(self) -> str:
        """
        Return one sentence about the account.

        Raises:
            Misconfigured: The key is not accepted.

        Source: https://docs.stripe.com/api/balance/balance_retrieve
        """
        client = await self.get_client()
        with in_our_words("say who we are"):
            balance = (await client.v1.balance.retrieve_async()).to_dict()
            money = "real money" if balance["livemode"] else "no real money"
        return f"Stripe accepts the key; it moves {money}."

    async def take_payment(self, request: PaymentRequest, *, key: str) -> Payment:
        """
        Charge ``request``; a repeat with the same ``key`` returns the first payment.

        Raises:
            Refused: The card was declined, or the amount is none that Stripe takes; ``reference`` is the PaymentIntent, if there is one.
            OutcomeUnknown: Also when the answer carries another amount or currency than was asked for.

        Source: https://docs.stripe.com/api/payment_intents/create
        """
        params: stripe.params.PaymentIntentCreateParams = {
            "amount": request.amount,
            "currency": request.currency,
            "confirm": True,
            "payment_method": request.payment_method,
            "description": request.description,
            "metadata": {**request.metadata, "effect": key},
        }
        if request.return_url is None:
            params["automatic_payment_methods"] = {"enabled": True, "allow_redirects": "never"}
        else:
            params["return_url"] = request.return_url
        client = await self.get_client()
        with in_our_words("take the payment") as call:
            intent = await client.v1.payment_intents.create_async(params, {"idempotency_key": key})
            return payment_from(call, intent.to_dict(), request)

    async def find_payment(self, request: PaymentRequest, *, key: str, since: datetime) -> Payment | None:
        """
        Return the payment that was made under ``key``, or None when there is none now. ``since`` is when the request was made.

        Raises:
            OutcomeUnknown: Also when there are too many payments to look through.

        Source: https://docs.stripe.com/api/payment_intents/list
        """
        client = await self.get_client()
        created = {"gte": int((since - CLOCKS_DIFFER).timestamp())}
        with in_our_words("look for the payment") as call:
            found = await _find(call, client.v1.payment_intents.list_async, {"created": created}, key)
            return None if found is None else payment_from(call, found, request)

    async def read_payment(self, payment_id: str) -> Payment:
        """
        Return the payment as it is now.

        Source: https://docs.stripe.com/api/payment_intents/retrieve
        """
        client = await self.get_client()
        with in_our_words("read the payment") as call:
            return payment_from(call, (await client.v1.payment_intents.retrieve_async(payment_id)).to_dict())

    async def cancel_payment(self, request: CancelRequest, *, key: str) -> Payment:
        """
        Cancel the payment if it can still be cancelled, and return what is true now: it may turn out to have succeeded.

        Source: https://docs.stripe.com/api/payment_intents/cancel
        """
        client = await self.get_client()
        with in_our_words("cancel the payment") as call:
            try:
                intent = await client.v1.payment_intents.cancel_async(request.payment_id, {}, {"idempotency_key": key})
                return payment_from(call, intent.to_dict())
            except stripe.InvalidRequestError as error:
                if complaint_of(error).code != "payment_intent_unexpected_state":
                    raise
        with exchanging(Exchange()):  # reading changes nothing, so the send window of the cancellation is not its business
            return await self.read_payment(request.payment_id)

    async def refund_payment(self, request: RefundRequest, *, key: str) -> Refund:
        """
        Give money of a payment back; a repeat with the same ``key`` returns the first refund. ``pending`` is not yet money back.

        Raises:
            Refused: There is nothing left to give back, or the payment is disputed.
            OutcomeUnknown: Also when the answer carries another amount or currency than was asked for.

        Source: https://docs.stripe.com/api/refunds/create
        """
        params: stripe.params.RefundCreateParams = {
            "payment_intent": request.payment_id,
            "amount": request.amount,
            "metadata": {**request.metadata, "effect": key},
        }
        client = await self.get_client()
        with in_our_words("refund the payment") as call:
            refund = await client.v1.refunds.create_async(params, {"idempotency_key": key})
            return refund_from(call, refund.to_dict(), request)

    async def find_refund(self, request: RefundRequest, *, key: str, since: datetime) -> Refund | None:
        """
        Return the refund that was made under ``key``, or None when there is none now. ``since`` is when the request was made.

        Source: https://docs.stripe.com/api/refunds/list
        """
        client = await self.get_client()
        created = {"gte": int((since - CLOCKS_DIFFER).timestamp())}
        with in_our_words("look for the refund") as call:
            found = await _find(call, client.v1.refunds.list_async, {"payment_intent": request.payment_id, "created": created}, key)
            return None if found is None else refund_from(call, found, request)

    async def read_refund(self, refund_id: str) -> Refund:
        """
        Return the refund as it is now.

        Source: https://docs.stripe.com/api/refunds/retrieve
        """
        client = await self.get_client()
        with in_our_words("read the refund") as call:
            return refund_from(call, (await client.v1.refunds.retrieve_async(refund_id)).to_dict())


async def _find(call: Call, listing: Callable[[Any], Awaitable[Any]], where: dict[str, Any], key: str) -> dict[str, Any] | None:
    """Look through every page of ``listing`` for the object whose metadata carries ``key``."""
    after: dict[str, Any] = {}
    for _ in range(PAGES):
        page = (await listing({**where, **after, "limit": PAGE})).to_dict()
        things: list[dict[str, Any]] = page["data"]
        for thing in things:
            if (thing.get("metadata") or {}).get("effect") == key:
                return thing
        if not page["has_more"]:
            return None
        after = {"starting_after": things[-1]["id"]}
    raise call.unknown("there is more than we look through")
