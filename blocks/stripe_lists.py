"""What Stripe has of a period, page by page: payments, refunds, and what it has told."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import stripe

from blocks.stripe_answers import PAYMENT_STATES, refund_from
from blocks.stripe_transport import PROVIDER, in_our_words
from blocks.translation import Answer, Call
from hub.notices import Notice
from hub.payments import Payment, PaymentStatus, Refund
from hub.readings.news import effect_in
from hub.reconciliation.seen import Page, Period, Seen, Shelf

if TYPE_CHECKING:
    from blocks.stripe_account import StripeAccount

PAGE = 100


class _Intent(Answer):
    id: str
    amount: int
    amount_received: int
    currency: str
    status: str
    latest_charge: str | None = None


def stripe_shelves(account: StripeAccount) -> tuple[Shelf, ...]:
    """
    Return the lists of payments and of refunds. A page is 100 objects, and far more may be asked for in a second than one after the other.

    Source: https://docs.stripe.com/api/pagination and https://docs.stripe.com/rate-limits
    """
    return (
        Shelf(PROVIDER, Payment, page=partial(_payments, account), read=partial(_payment, account)),
        Shelf(PROVIDER, Refund, page=partial(_refunds, account), read=partial(_refund, account)),
    )


async def told_by_stripe(
    account: StripeAccount, kinds: Sequence[str], period: Period, after: str | None
) -> tuple[tuple[Notice, ...], str | None]:
    """
    Return a page of the events of the period, newest first, as notices; and what leads to the next page. Stripe keeps events for 30 days.

    Source: https://docs.stripe.com/api/events/list
    """
    client = await account.get_client()
    with in_our_words("list the events"):
        params: Any = {**_where(period, after), "types": list(kinds)}
        found = (await client.v1.events.list_async(params)).to_dict()
        events: list[dict[str, Any]] = found["data"]
        told = tuple(
            Notice(provider=PROVIDER, event_id=event["id"], kind=event["type"], content=json.dumps(event).encode()) for event in events
        )
        return told, events[-1]["id"] if found["has_more"] else None


async def _payments(account: StripeAccount, period: Period, after: str | None) -> Page:
    """Source: https://docs.stripe.com/api/payment_intents/list."""
    client = await account.get_client()
    with in_our_words("list the payments") as call:
        params: Any = _where(period, after)
        return _page((await client.v1.payment_intents.list_async(params)).to_dict(), partial(_seen_payment, call))


async def _refunds(account: StripeAccount, period: Period, after: str | None) -> Page:
    """Source: https://docs.stripe.com/api/refunds/list."""
    client = await account.get_client()
    with in_our_words("list the refunds") as call:
        params: Any = _where(period, after)
        return _page((await client.v1.refunds.list_async(params)).to_dict(), partial(_seen_refund, call))


async def _payment(account: StripeAccount, payment_id: str) -> Seen | None:
    client = await account.get_client()
    with in_our_words("read the payment") as call:
        try:
            return _seen_payment(call, (await client.v1.payment_intents.retrieve_async(payment_id)).to_dict())
        except stripe.InvalidRequestError as error:
            if error.http_status != HTTPStatus.NOT_FOUND:
                raise
            return None


async def _refund(account: StripeAccount, refund_id: str) -> Seen | None:
    client = await account.get_client()
    with in_our_words("read the refund") as call:
        try:
            return _seen_refund(call, (await client.v1.refunds.retrieve_async(refund_id)).to_dict())
        except stripe.InvalidRequestError as error:
            if error.http_status != HTTPStatus.NOT_FOUND:
                raise
            return None


def _where(period: Period, after: str | None) -> dict[str, Any]:
    created = {"gte": int(period.since.timestamp()), "lte": int(period.until.timestamp())}
    return {"created": created, "limit": PAGE} | ({} if after is None else {"starting_after": after})


def _page(found: dict[str, Any], seen: Callable[[dict[str, Any]], Seen | None]) -> Page:
    things: list[dict[str, Any]] = found["data"]
    shown = (seen(thing) for thing in things)
    return Page(seen=tuple(one for one in shown if one is not None), following=things[-1]["id"] if found["has_more"] else None)


def _key_of(thing: dict[str, Any]) -> str | None:
    effect = (thing.get("metadata") or {}).get("effect")
    return effect if isinstance(effect, str) and effect_in(effect) is not None else None


def _seen_payment(call: Call, said: dict[str, Any]) -> Seen | None:
    """Return the payment, or None when it carries no reference of a hub, so that another system has made it. The amount is what came in."""
    if (key := _key_of(said)) is None:
        return None
    intent = _Intent.model_validate(said)
    if intent.status not in PAYMENT_STATES:
        raise call.unknown("a state we do not know", intent.status)
    status = PAYMENT_STATES[intent.status]
    money = {"amount": intent.amount_received if status is PaymentStatus.SUCCEEDED else intent.amount, "currency": intent.currency}
    payment = Payment(payment_id=intent.id, charge_id=intent.latest_charge, status=status, **money)
    return Seen(provider=PROVIDER, reference=intent.id, key=key, result=payment, asked=money)


def _seen_refund(call: Call, said: dict[str, Any]) -> Seen | None:
    """Return the refund, also one that was made by hand, or None when it gives no PaymentIntent back: those are never ours."""
    if said.get("payment_intent") is None:
        return None
    refund = refund_from(call, said)
    asked = {"payment_id": refund.payment_id, "amount": refund.amount, "currency": refund.currency}
    return Seen(provider=PROVIDER, reference=refund.refund_id, key=_key_of(said), result=refund, asked=asked)
