"""What each sample in tests/samples means: the facts about our effect or the provider's object, or nothing."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from hub.facts import (
    ButtonPressed,
    Delivered,
    DeliveryFailed,
    DeploymentMarked,
    DeploymentMoved,
    DisputeClosed,
    DisputeOpened,
    Fact,
    InTransit,
    LabelBought,
    LabelRefused,
    LabelVoided,
    MessageMoved,
    Packed,
    PaymentCanceled,
    PaymentFailed,
    PaymentProcessing,
    PaymentSettled,
    PaymentWaits,
    PickedUp,
    RateRefused,
    RefundedInAll,
    RefundFailed,
    RefundPending,
    RefundSettled,
    Returned,
    Unwanted,
    VoidRefused,
)
from hub.message_facts import Delivery
from hub.payments import NextAction
from hub.readings import Address, News, Reference

HUB_ID = UUID("0f2c3a5e-8d1b-4c7a-9e64-2b7d1f0a9c35")
PAYMENT, CHARGE, REFUND, DISPUTE = "pi_3QhubPayment0001", "ch_3QhubCharge0001", "re_3QhubRefund0001", "du_1QhubDispute0001"
LABEL, NUMBER = "70ae8117ee1749e393f249d5b77c45e0", "9205590175547700012345"
MAIL, TEXT = "Qm8yT3hLR2h1Yk1haWwwMQ", "SM0123456789abcdef0123456789abcdef"
USD = {"currency": "usd"}
NOTHING = None


def order(step: str, hub_id: UUID | str = HUB_ID) -> Address:
    return Address(hub_id=hub_id, subject_kind="order", subject_id="o-1001", step=step, attempt=1)


def paying(fact: Fact) -> News:
    return News(about=order("payment"), facts=(fact,))


def refunding(fact: Fact) -> News:
    return News(about=order("refund"), facts=(fact,))


def at_stripe(fact: Fact) -> News:
    return News(about=Reference(provider="stripe", reference=PAYMENT), facts=(fact,))


def mailed(delivery: Delivery, message_id: str | None = MAIL, code: str | None = None) -> News:
    fact = MessageMoved(step="mail", attempt=1, channel="mail", delivery=delivery, message_id=message_id, code=code)
    return News(about=order("mail"), facts=(fact,))


def texted(delivery: Delivery, *more: Fact, code: str | None = None) -> News:
    fact = MessageMoved(step="text.mail", attempt=1, channel="sms", delivery=delivery, message_id=TEXT, code=code)
    return News(about=order("text.mail"), facts=(fact, *more))


def unwanted(reason: Any) -> News:
    return News(about=order("mail"), facts=(Unwanted(channel="mail", reason=reason),))


def labelled(fact: Fact) -> News:
    return News(about=order("label", HUB_ID.hex[:12]), facts=(fact,))


def releasing(fact: Fact) -> News:
    return News(about=Address(hub_id=HUB_ID, subject_kind="release", subject_id="r-42", step="deployment", attempt=1), facts=(fact,))


def deployed(state: Any) -> News:
    return releasing(DeploymentMoved(deployment_id=145988746, status_id=209916254, state=state, environment="production"))


def pressed(value: str) -> News:
    fact = ButtonPressed(
        action="resume_order",
        value=value,
        user_id="U0EXAMPLE1",
        user_name="ada",
        channel="C0EXAMPLE1",
        message="1795320000.000100",
        pressed_at="1795320042.123456",
    )
    return News(about=order("team-alert.1"), facts=(fact,))


def told_by_us(fact: Fact) -> News:
    return News(about=Address(hub_id=None, subject_kind="order", subject_id="o-1001"), facts=(fact,))


REDIRECT = NextAction(type="redirect_to_url", url="https://hooks.stripe.com/3d_secure_2/hosted?merchant=acct_rehearsal")
SETTLED = PaymentSettled(attempt=1, payment_id=PAYMENT, charge_id=CHARGE, amount=10_000, **USD)
BACK = RefundSettled(attempt=1, refund_id=REFUND, amount=10_000, **USD)
ON_ITS_WAY = RefundPending(attempt=1, refund_id=REFUND, amount=10_000, **USD)
DISPUTED: dict[str, Any] = {"attempt": None, "dispute_id": DISPUTE}

EXPECTED: dict[str, News | None] = {
    "stripe/payment_intent.succeeded": paying(SETTLED),
    "stripe/payment_intent.succeeded.of_another_system": NOTHING,
    "stripe/payment_intent.payment_failed": paying(PaymentFailed(attempt=1, payment_id=PAYMENT, code="insufficient_funds")),
    "stripe/payment_intent.payment_failed.not_authenticated": paying(
        PaymentFailed(attempt=1, payment_id=PAYMENT, code="payment_intent_authentication_failure")
    ),
    "stripe/payment_intent.requires_action": paying(PaymentWaits(attempt=1, payment_id=PAYMENT, next_action=REDIRECT)),
    "stripe/payment_intent.processing": paying(PaymentProcessing(attempt=1, payment_id=PAYMENT)),
    "stripe/payment_intent.canceled": paying(PaymentCanceled(attempt=1, payment_id=PAYMENT)),
    "stripe/payment_intent.created": NOTHING,
    "stripe/charge.captured": NOTHING,
    "stripe/charge.failed": NOTHING,
    "stripe/charge.pending": NOTHING,
    "stripe/charge.succeeded": NOTHING,
    "stripe/charge.updated": NOTHING,
    "stripe/charge.refunded": paying(RefundedInAll(attempt=1, charge_id=CHARGE, amount=10_000, **USD)),
    "stripe/charge.refunded.in_part_by_hand": at_stripe(RefundedInAll(attempt=None, charge_id=CHARGE, amount=2_500, **USD)),
    "stripe/charge.refunded.without_payment_intent": NOTHING,
    "stripe/refund.created": refunding(BACK),
    "stripe/refund.created.pending": refunding(ON_ITS_WAY),
    "stripe/refund.created.by_hand": at_stripe(RefundSettled(attempt=None, refund_id="re_3QhubRefund0002", amount=2_500, **USD)),
    "stripe/refund.updated": refunding(BACK),
    "stripe/refund.updated.requires_action": refunding(ON_ITS_WAY),
    "stripe/refund.updated.canceled": refunding(RefundFailed(attempt=1, refund_id=REFUND, code="canceled")),
    "stripe/refund.failed": refunding(RefundFailed(attempt=1, refund_id=REFUND, code="lost_or_stolen_card")),
    "stripe/charge.refund.updated": refunding(BACK),
    "stripe/charge.dispute.created": at_stripe(
        DisputeOpened(**DISPUTED, charge_id=CHARGE, reason="fraudulent", amount=10_000, **USD),
    ),
    "stripe/charge.dispute.created.inquiry": at_stripe(
        DisputeOpened(**DISPUTED, charge_id=CHARGE, reason="general", amount=10_000, **USD),
    ),
    "stripe/charge.dispute.updated": NOTHING,
    "stripe/charge.dispute.funds_withdrawn": NOTHING,
    "stripe/charge.dispute.funds_reinstated": NOTHING,
    "stripe/charge.dispute.closed.lost": at_stripe(DisputeClosed(**DISPUTED, won=False)),
    "stripe/charge.dispute.closed.won": at_stripe(DisputeClosed(**DISPUTED, won=True)),
    "stripe/charge.dispute.closed.inquiry": at_stripe(DisputeClosed(**DISPUTED, won=True)),
    "sendgrid/processed": mailed(Delivery.ACCEPTED),
    "sendgrid/processed.filtered": mailed(Delivery.ACCEPTED),
    "sendgrid/processed.of_another_system": NOTHING,
    "sendgrid/deferred": mailed(Delivery.DEFERRED),
    "sendgrid/delivered": mailed(Delivery.DELIVERED),
    "sendgrid/open": mailed(Delivery.OPENED),
    "sendgrid/bounce": mailed(Delivery.FAILED, code="bounce.5.1.1"),
    "sendgrid/bounce.blocked": mailed(Delivery.FAILED, code="blocked"),
    "sendgrid/bounce.hours_later": mailed(Delivery.FAILED, message_id=None, code="bounce.5.2.2"),
    "sendgrid/dropped": mailed(Delivery.FAILED, code="dropped.bounced_address"),
    "sendgrid/dropped.for_a_reason_not_listed": mailed(Delivery.FAILED, code="dropped.other"),
    "sendgrid/spamreport": unwanted("spam report"),
    "sendgrid/unsubscribe": unwanted("unsubscribed"),
    "sendgrid/group_unsubscribe": unwanted("unsubscribed"),
    "sendgrid/group_resubscribe": NOTHING,
    "sendgrid/click": NOTHING,
    "shippo/transaction_created": labelled(LabelBought(label_id=LABEL, tracking_number=NUMBER)),
    "shippo/transaction_created.by_hand": NOTHING,
    "shippo/transaction_created.queued": NOTHING,
    "shippo/transaction_created.waiting": NOTHING,
    "shippo/transaction_created.refused": labelled(LabelRefused(attempt=1, code="failed_address_validation")),
    "shippo/transaction_created.refused_by_one_carrier": labelled(RateRefused(purchase_id=LABEL, code="ups_registration_error")),
    "shippo/transaction_created.failed_for_a_reason_not_listed": NOTHING,
    "shippo/transaction_updated": labelled(LabelBought(label_id=LABEL, tracking_number=NUMBER)),
    "shippo/transaction_updated.refused": labelled(LabelRefused(attempt=1, code="failed_address_validation")),
    "shippo/transaction_updated.refunded": labelled(LabelVoided(label_id=LABEL)),
    "shippo/transaction_updated.refundpending": NOTHING,
    "shippo/transaction_updated.refundrejected": labelled(VoidRefused(label_id=LABEL)),
    "shippo/track_updated.unknown": NOTHING,
    "shippo/track_updated.pre_transit": NOTHING,
    "shippo/track_updated.without_status": NOTHING,
    "shippo/track_updated.transit": labelled(InTransit(tracking_number=NUMBER)),
    "shippo/track_updated.delivered": labelled(Delivered(tracking_number=NUMBER)),
    "shippo/track_updated.delivered.of_a_label_without_metadata": News(
        about=Reference(provider="shippo", reference=LABEL), facts=(Delivered(tracking_number=NUMBER),)
    ),
    "shippo/track_updated.delivered.of_a_number_alone": News(
        about=Reference(provider="shippo", reference=f"tracking:{NUMBER}"), facts=(Delivered(tracking_number=NUMBER),)
    ),
    "shippo/track_updated.returned": labelled(Returned(tracking_number=NUMBER)),
    "shippo/track_updated.failure": labelled(DeliveryFailed(tracking_number=NUMBER, code="package_undeliverable")),
    "shippo/track_updated.failure_without_code": labelled(DeliveryFailed(tracking_number=NUMBER, code="failure")),
    "twilio/accepted": texted(Delivery.ACCEPTED),
    "twilio/scheduled": texted(Delivery.ACCEPTED),
    "twilio/queued": texted(Delivery.ACCEPTED),
    "twilio/sending": texted(Delivery.ACCEPTED),
    "twilio/sent": texted(Delivery.SENT),
    "twilio/delivered": texted(Delivery.DELIVERED),
    "twilio/delivered.of_another_system": NOTHING,
    "twilio/read": texted(Delivery.OPENED),
    "twilio/undelivered": texted(Delivery.FAILED, code="30003"),
    "twilio/failed": texted(Delivery.FAILED, code="30007"),
    "twilio/failed.opted_out": texted(Delivery.FAILED, Unwanted(channel="sms", reason="unsubscribed"), code="21610"),
    "twilio/canceled": texted(Delivery.FAILED, code="canceled"),
    "twilio/partially_delivered": NOTHING,
    "twilio/received": NOTHING,
    "twilio/receiving": NOTHING,
    "github/deployment_status.success": deployed("success"),
    "github/deployment_status.failure": deployed("failure"),
    "github/deployment_status.in_progress": deployed("in_progress"),
    "github/deployment_status.our_own_mark": releasing(DeploymentMarked(status_id=209916254)),
    "github/deployment_status.payload_as_text": deployed("queued"),
    "github/deployment_status.of_another_system": NOTHING,
    "github/deployment": NOTHING,
    "github/ping": NOTHING,
    "slack/block_actions": pressed("o-1001"),
    "slack/block_actions.named_by_its_value": pressed(f"{HUB_ID}:order:o-1001:team-alert.1:1"),
    "slack/block_actions.of_another_message": NOTHING,
    "custom/packed": told_by_us(Packed()),
    "custom/picked_up": told_by_us(PickedUp()),
    "custom/delivered": told_by_us(Delivered()),
    "custom/returned": told_by_us(Returned()),
}
