"""Facts, drawn at random: every kind there is."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from hub.facts import (
    Announced,
    AttentionNeeded,
    ButtonPressed,
    CameOut,
    Delivered,
    DeliveryFailed,
    DeploymentMade,
    DeploymentMarked,
    DeploymentMoved,
    DeploymentRefused,
    DisputeClosed,
    DisputeOpened,
    Fact,
    Forgotten,
    InTransit,
    LabelBought,
    LabelRefused,
    LabelVoided,
    MessageMoved,
    NewsMissing,
    NotificationAccepted,
    NotificationRefused,
    Packed,
    PaymentCanceled,
    PaymentFailed,
    PaymentProcessing,
    PaymentSettled,
    PaymentWaits,
    PickedUp,
    PickTicketCancelled,
    PickTicketKept,
    PickTicketRefused,
    PickTicketSent,
    PickupRefused,
    PickupScheduled,
    ProfileCreated,
    ProfileRefused,
    ProfileRemoved,
    RateRefused,
    Recorded,
    RefundAsked,
    RefundDecided,
    RefundedInAll,
    RefundFailed,
    RefundPending,
    RefundSettled,
    Returned,
    StepMissed,
    StockReleased,
    StockReserved,
    StockShort,
    TakenUp,
    ToldByHand,
    UndoBegun,
    UndoFinished,
    Unwanted,
    VoidRefused,
    identity_of,
)
from hub.message_facts import Delivery
from hub.payments import NextAction
from hub.release_facts import DeploymentState
from hub.values import Frozen

AMOUNT = 10_000
USD = {"currency": "usd"}
REFUNDS: dict[str, dict[str, Any]] = {  # a refund has one amount and belongs to one payment, whoever tells of it
    "re_1": {"attempt": 1, "amount": 4_000},
    "re_2": {"attempt": 1, "amount": 6_000},
    "re_3": {"attempt": 2, "amount": 1},
    "re_4": {"attempt": 3, "amount": AMOUNT},
}

STATUSES: tuple[tuple[int, DeploymentState], ...] = ((1, "queued"), (2, "in_progress"), (3, "success"), (4, "failure"), (5, "inactive"))
"""A status of a deployment has one number and one state, whoever tells of it, and however often."""

attempts = st.integers(1, 3)
payment_ids = st.sampled_from(["pi_1", "pi_2"])
numbers = st.sampled_from([None, "1Z", "9400"])
refunds = st.sampled_from(sorted(REFUNDS))
charges = st.sampled_from([("ch_1", 1), ("ch_2", 2), ("ch_3", 3)])
disputes = st.sampled_from([("dp_1", 1, True), ("dp_2", 1, False), ("dp_3", 2, True), ("dp_4", 3, False)])
notifications = st.sampled_from(["welcome", "confirmation", "verification"])
BY_KIND: dict[type[Frozen], st.SearchStrategy[Any]] = {
    StockReserved: st.builds(StockReserved, attempt=attempts),
    StockShort: st.builds(StockShort, attempt=attempts, products=st.sampled_from([("prod-123",), ("prod-456",)])),
    ToldByHand: st.builds(
        ToldByHand,
        step=st.sampled_from(["mail", "refund"]),
        attempt=attempts,
        happened=st.booleans(),
        by=st.just("ada"),
        epoch=st.integers(1, 3),
    ),
    CameOut: st.builds(CameOut, step=st.sampled_from(["mail", "refund"]), attempt=attempts, epoch=st.integers(1, 3)),
    TakenUp: st.builds(TakenUp, by=st.just("ada"), epoch=st.integers(1, 3)),
    Forgotten: st.builds(Forgotten, by=st.just("ada")),
    StockReleased: st.builds(StockReleased, attempt=attempts),
    PaymentWaits: st.builds(
        PaymentWaits, attempt=attempts, payment_id=payment_ids, next_action=st.builds(NextAction, type=st.sampled_from(["a", "b"]))
    ),
    PaymentProcessing: st.builds(PaymentProcessing, attempt=attempts, payment_id=payment_ids),
    PaymentSettled: st.builds(
        PaymentSettled, attempt=attempts, payment_id=payment_ids, charge_id=st.none(), amount=st.just(AMOUNT), currency=st.just("usd")
    ),
    PaymentFailed: st.builds(
        PaymentFailed, attempt=attempts, payment_id=payment_ids | st.none(), code=st.sampled_from(["generic_decline", "lost_card"])
    ),
    PaymentCanceled: st.builds(PaymentCanceled, attempt=attempts, payment_id=payment_ids),
    RefundAsked: st.builds(
        RefundAsked,
        refund_id=st.sampled_from(["r-1", "r-2"]),
        amount=st.just(1),
        asked=st.none(),
        reason=st.just("broken"),
        by=st.just("ada"),
        **{name: st.just(value) for name, value in USD.items()},
    ),
    RefundDecided: st.builds(RefundDecided, refund_id=st.sampled_from(["r-1", "r-2"]), decision=st.just("rejected"), by=st.just("ada")),
    RefundPending: refunds.map(lambda name: RefundPending(refund_id=name, **REFUNDS[name], **USD)),
    RefundSettled: refunds.map(lambda name: RefundSettled(refund_id=name, **REFUNDS[name], **USD)),
    RefundFailed: refunds.map(lambda name: RefundFailed(refund_id=name, attempt=REFUNDS[name]["attempt"], code="lost_or_stolen_card")),
    RefundedInAll: st.tuples(charges, st.sampled_from([1, 4_000, AMOUNT])).map(
        lambda drawn: RefundedInAll(charge_id=drawn[0][0], attempt=drawn[0][1], amount=drawn[1], **USD)
    ),
    DisputeOpened: disputes.map(
        lambda drawn: DisputeOpened(dispute_id=drawn[0], attempt=drawn[1], charge_id="ch_1", reason="fraudulent", amount=AMOUNT, **USD)
    ),
    DisputeClosed: disputes.map(lambda drawn: DisputeClosed(dispute_id=drawn[0], attempt=drawn[1], won=drawn[2])),
    LabelBought: st.builds(LabelBought, label_id=st.sampled_from(["l_1", "l_2"]), tracking_number=st.just("1Z")),
    LabelRefused: st.builds(LabelRefused, attempt=attempts, code=st.just("no_rates")),
    RateRefused: st.builds(RateRefused, purchase_id=st.sampled_from(["t_1", None]), code=st.just("ups_registration_error")),
    LabelVoided: st.builds(LabelVoided, label_id=st.sampled_from(["l_1", "l_2"])),
    VoidRefused: st.builds(VoidRefused, label_id=st.sampled_from(["l_1", "l_2"])),
    Announced: st.builds(Announced, missed=st.sampled_from([(), ("mail",)])),
    PickTicketSent: st.builds(PickTicketSent),
    PickTicketRefused: st.builds(PickTicketRefused, code=st.just("unknown_product")),
    PickTicketCancelled: st.builds(PickTicketCancelled),
    PickTicketKept: st.builds(PickTicketKept, code=st.just("handed_over")),
    PickupScheduled: st.builds(PickupScheduled, confirmation=st.just("WTC1")),
    PickupRefused: st.builds(PickupRefused, code=st.just("pickup_refused")),
    Packed: st.builds(Packed),
    PickedUp: st.builds(PickedUp),
    InTransit: st.builds(InTransit, tracking_number=numbers),
    Delivered: st.builds(Delivered, tracking_number=numbers),
    Returned: st.builds(Returned, tracking_number=numbers),
    DeliveryFailed: st.builds(DeliveryFailed, tracking_number=numbers, code=st.just("delivery_failed")),
    MessageMoved: st.builds(
        MessageMoved,
        step=st.sampled_from(["mail", "text", "welcome-mail"]),
        attempt=attempts,
        channel=st.sampled_from(["mail", "sms"]),
        delivery=st.sampled_from(Delivery),
        code=st.none(),
    ),
    Unwanted: st.builds(Unwanted, channel=st.sampled_from(["mail", "sms"]), reason=st.sampled_from(["spam report", "unsubscribed"])),
    ButtonPressed: st.builds(
        ButtonPressed,
        action=st.just("resume"),
        value=st.none(),
        user_id=st.just("U1"),
        user_name=st.just("ada"),
        channel=st.just("C1"),
        message=st.just("1.2"),
        pressed_at=st.sampled_from(["1.3", "1.4"]),
    ),
    DeploymentMade: st.builds(DeploymentMade, deployment_id=st.just(1)),
    DeploymentRefused: st.builds(DeploymentRefused, code=st.sampled_from(["merge_conflict", "failed_contexts"])),
    DeploymentMoved: st.sampled_from(STATUSES).map(
        lambda drawn: DeploymentMoved(deployment_id=1, status_id=drawn[0], state=drawn[1], environment="production")
    ),
    NewsMissing: st.builds(NewsMissing, status_id=st.integers(0, len(STATUSES))),
    DeploymentMarked: st.builds(DeploymentMarked, status_id=st.just(9)),
    UndoBegun: st.builds(UndoBegun, because=st.sampled_from(["the label was refused", "taken up again"])),
    UndoFinished: st.builds(UndoFinished),
    AttentionNeeded: st.builds(AttentionNeeded, epoch=st.integers(1, 2), reason=st.just("nobody knows")),
    ProfileCreated: st.builds(ProfileCreated, profile_id=st.just("usr_1")),
    ProfileRefused: st.builds(ProfileRefused, code=st.just("email_taken")),
    ProfileRemoved: st.builds(ProfileRemoved, profile_id=st.just("usr_1")),
    NotificationAccepted: st.builds(NotificationAccepted, notification=notifications, message_id=st.just("m_1")),
    NotificationRefused: st.builds(NotificationRefused, notification=notifications, code=st.just("21610")),
    StepMissed: st.builds(
        StepMissed,
        step=st.sampled_from(["profile", "payment", "welcome", "confirmation", "verification", "records"]),
        outcome=st.sampled_from(["unavailable", "unknown", "not_made"]),
        epoch=st.integers(1, 2),
    ),
    Recorded: st.builds(Recorded, status=st.sampled_from(["PARTIAL", "COMPLETE"]), epoch=st.integers(1, 2)),
}
facts: st.SearchStrategy[Fact] = st.one_of(*BY_KIND.values())


def known_as(fact: Fact) -> tuple[str, str]:
    """What the database's unique constraint looks at."""
    return fact.kind, identity_of(fact)
