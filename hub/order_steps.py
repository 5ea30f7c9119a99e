"""The steps of an order: who does them, when they may be done, and what their outcomes mean."""

from __future__ import annotations

from typing import Any

from hub.errors import Refused
from hub.facets import Facets, HoldFacet, ParcelFacet, PaymentFacet, StockFacet, rank
from hub.facts import (
    Fact,
    LabelBought,
    LabelVoided,
    PaymentCanceled,
    PickTicketCancelled,
    PickTicketKept,
    PickTicketRefused,
    PickTicketSent,
    PickupRefused,
    PickupScheduled,
    VoidRefused,
)
from hub.messages import Mail, MessageUpdate, TeamMessage, TextRequest
from hub.notification_steps import calls_for_a_person, message_update, notification_step
from hub.notification_types import (
    APPROVAL_ASKED,
    APPROVAL_DECLINED,
    CONFIRMATION_TEXT,
    CONFIRMATION_UNTOLD,
    DELIVERED,
    LATE_MONEY,
    MONEY_BACK,
    ORDER,
    ORDER_CONFIRMATION,
    PAYMENT_FAILED,
    REFUND,
    SHIPPED,
    TEAM_CONFIRMATION,
    TEAM_SHIPPED,
)
from hub.parcel_facts import purchase_refused
from hub.parcels import Label, Pickup, PickupRequest, Quote, Void, VoidRequest, VoidStatus
from hub.payment_meanings import expiry_means, payment_means, payment_refused, refund_step
from hub.payments import CancelRequest, Payment, PaymentStatus, RefundRequest
from hub.pick_tickets import TakenTicket
from hub.policies import EXTERNAL, PAYMENT
from hub.steps import EffectState, Outcome, Step


def _cancellation_means(attempt: int, payment: Payment) -> Outcome:
    """The earlier attempt's payment is gone; or it turns out to have succeeded, and then the order is paid and needs no new one."""
    if payment.status is PaymentStatus.CANCELED:
        return Outcome(EffectState.DONE, payment.payment_id, PaymentCanceled(attempt=attempt - 1, payment_id=payment.payment_id))
    return Outcome(EffectState.DONE, payment.payment_id, payment_means(attempt, payment).fact)


def _label_means(_attempt: int, label: Label) -> Outcome:
    return Outcome(EffectState.DONE, label.label_id, LabelBought(label_id=label.label_id, tracking_number=label.tracking_number))


def _quote_means(_attempt: int, quote: Quote) -> Outcome:
    return Outcome(EffectState.DONE, quote.shipment_id)


def _void_means(_attempt: int, void: Void) -> Outcome:
    match void.status:
        case VoidStatus.SUCCEEDED:
            return Outcome(EffectState.DONE, void.label_id, LabelVoided(label_id=void.label_id))
        case VoidStatus.PENDING:
            return Outcome(EffectState.PENDING, void.label_id)
        case VoidStatus.REFUSED:
            return Outcome(EffectState.REFUSED, void.label_id, VoidRefused(label_id=void.label_id), code="void_refused")


def _voided_by_hand(request: dict[str, Any], _reference: str) -> Void:
    return Void(label_id=request["label_id"], status=VoidStatus.SUCCEEDED)


def _ticket_means(_attempt: int, ticket: TakenTicket) -> Outcome:
    return Outcome(EffectState.DONE, ticket.ticket_id, PickTicketSent())


def _ticket_refused(_attempt: int, refusal: Refused) -> Fact:
    return PickTicketRefused(code=refusal.code)


def _ticket_cancelled(_attempt: int, ticket: TakenTicket) -> Outcome:
    return Outcome(EffectState.DONE, ticket.ticket_id, PickTicketCancelled())


def _ticket_kept(_attempt: int, refusal: Refused) -> Fact:
    return PickTicketKept(code=refusal.code)


def _pickup_means(_attempt: int, pickup: Pickup) -> Outcome:
    return Outcome(EffectState.DONE, pickup.pickup_id, PickupScheduled(confirmation=pickup.confirmation))


def _pickup_refused(_attempt: int, refusal: Refused) -> Fact:
    return PickupRefused(code=refusal.code)


def _label_refused(attempt: int, refusal: Refused) -> Fact:
    return purchase_refused(attempt, refusal.code, refusal.reference)


def _may_pay(facets: Facets) -> bool:
    unpaid = rank(facets.payment) <= rank(PaymentFacet.PROCESSING)
    return facets.hold is HoldFacet.NONE and facets.stock is StockFacet.RESERVED and unpaid


def _may_call_off(facets: Facets) -> bool:
    return _may_pay(facets) or facets.hold is HoldFacet.UNDOING


def _may_ship(facets: Facets) -> bool:
    return facets.hold is HoldFacet.NONE and facets.payment is PaymentFacet.PAID and facets.parcel is not ParcelFacet.REFUSED


def _is_labelled(facets: Facets) -> bool:
    return facets.hold is HoldFacet.NONE and rank(facets.parcel) >= rank(ParcelFacet.LABELLED)


def _is_being_undone(facets: Facets) -> bool:
    return facets.hold is not HoldFacet.NONE


def _may_give_back(facets: Facets) -> bool:
    return rank(facets.payment) >= rank(PaymentFacet.PAID)  # the webhook may know of the refund first


def _always(_facets: Facets) -> bool:
    return True


def _is_to_be_packed(facets: Facets) -> bool:
    return facets.hold is HoldFacet.NONE and facets.parcel is ParcelFacet.ANNOUNCED


def _is_packed(facets: Facets) -> bool:
    return facets.hold is HoldFacet.NONE and facets.parcel is ParcelFacet.PACKED


def _is_in_transit(facets: Facets) -> bool:
    return facets.hold is HoldFacet.NONE and facets.parcel is ParcelFacet.IN_TRANSIT


def _is_delivered(facets: Facets) -> bool:
    return facets.hold is HoldFacet.NONE and facets.parcel is ParcelFacet.DELIVERED


def _has_failed(facets: Facets) -> bool:
    return facets.attention or facets.payment in (PaymentFacet.FAILED, PaymentFacet.CANCELED) or facets.hold is not HoldFacet.NONE


ORDER_STEPS: dict[str, Step] = {
    step.name: step
    for step in (
        Step("payment", "stripe", "take the payment", PAYMENT, Payment, _may_pay, payment_means, payment_refused, polled=True),
        Step("cancel-payment", "stripe", "cancel the payment", PAYMENT, Payment, _may_call_off, _cancellation_means),
        Step("stop-payment", "stripe", "cancel the payment", PAYMENT, Payment, _is_being_undone, expiry_means),
        refund_step("refund", permits=_may_give_back, polled=True, owed_request=RefundRequest),
        Step("quote", "shippo", "quote the parcel", EXTERNAL, Quote, _may_ship, _quote_means, _label_refused, harmless=True),
        Step("label", "shippo", "buy the label", EXTERNAL, Label, _may_ship, _label_means, _label_refused, looked_for_by="quote"),
        Step(
            "void",
            "shippo",
            "give the label back",
            EXTERNAL,
            Void,
            _always,
            _void_means,
            polled=True,
            owed_request=VoidRequest,
            by_hand=_voided_by_hand,
        ),
        Step("pick-ticket", "warehouse", "send the pick ticket", EXTERNAL, TakenTicket, _is_to_be_packed, _ticket_means, _ticket_refused),
        Step(
            "cancel-pick-ticket",
            "warehouse",
            "cancel the pick ticket",
            EXTERNAL,
            TakenTicket,
            _is_being_undone,
            _ticket_cancelled,
            _ticket_kept,
            harmless=True,
        ),
        Step(
            "pickup",
            "shippo",
            "schedule the pick-up",
            EXTERNAL,
            Pickup,
            _is_packed,
            _pickup_means,
            _pickup_refused,
            harmless=True,
            owed_request=PickupRequest,
        ),
        refund_step("late-refund", permits=_always, owed_request=RefundRequest),
        Step("expire-payment", "stripe", "cancel the payment", PAYMENT, Payment, _always, expiry_means, owed_request=CancelRequest),
        notification_step(ORDER_CONFIRMATION, "mail the customer", _is_labelled),
        notification_step(SHIPPED, "mail the customer", _is_in_transit),
        notification_step(DELIVERED, "mail the customer", _is_delivered),
        notification_step(REFUND, "mail the customer", _is_being_undone),
        notification_step(MONEY_BACK, "mail the customer", _always, owed_request=Mail),
        notification_step(CONFIRMATION_TEXT, "text the customer", _always, owed_request=TextRequest),  # and all others instead of a mail
        notification_step(CONFIRMATION_UNTOLD, "tell the team", _always, owed_request=TeamMessage),  # and all others that reached nobody
        notification_step(ORDER, "tell the team", _is_labelled),
        message_update(ORDER, _always, name="show"),
        notification_step(TEAM_CONFIRMATION, "tell the team", _is_labelled),
        notification_step(TEAM_SHIPPED, "tell the team", _is_in_transit),
        notification_step(PAYMENT_FAILED, "tell the team", _has_failed),  # and of what is undone
        notification_step(LATE_MONEY, "tell the team", _always, owed_request=TeamMessage),
        notification_step(APPROVAL_ASKED, "tell the team", _always, owed_request=TeamMessage),
        message_update(APPROVAL_ASKED, _always, owed_request=MessageUpdate),
        notification_step(APPROVAL_DECLINED, "tell the team", _always, owed_request=TeamMessage),
        *calls_for_a_person(_always),
    )
}
