"""How what a provider shows is told apart from what the ledger says, without asking either."""

from __future__ import annotations

from typing import Any

import pytest

from hub.facts import DeploymentMoved
from hub.messages import PostedMessage
from hub.parcels import Label, VoidStatus
from hub.payments import Payment, PaymentStatus, Refund, RefundStatus
from hub.reconciliation.comparing import Known, What, compare, gone
from hub.reconciliation.reports import Findings, in_money
from hub.reconciliation.seen import Seen
from hub.steps import EffectState

MONEY = {"amount": 5_000, "currency": "usd"}


def a_payment(status: PaymentStatus = PaymentStatus.SUCCEEDED, payment_id: str = "pi_1", amount: int = 5_000) -> Seen:
    money = MONEY | {"amount": amount}
    return Seen(
        provider="stripe", reference=payment_id, result=Payment(payment_id=payment_id, status=status, **money), asked=money, key="h:k"
    )


def a_refund(amount: int = 5_000) -> Seen:
    refund = Refund(refund_id="re_1", payment_id="pi_1", status=RefundStatus.SUCCEEDED, **MONEY | {"amount": amount})
    return Seen(provider="stripe", reference="re_1", result=refund, asked={"payment_id": "pi_1", **MONEY, "amount": amount})


def a_label(voided: VoidStatus | None = None) -> Seen:
    label = Label(label_id="t_1", tracking_number="1Z")
    return Seen(provider="shippo", reference="t_1", result=label, asked={"rate_id": "r_1"}, voided=voided)


def the_ledger(step: str = "payment", state: EffectState = EffectState.DONE, reference: str | None = "pi_1", **more: Any) -> Known:
    request = {"payment": MONEY, "refund": MONEY | {"payment_id": "pi_1"}, "label": {"rate_id": "r_1"}, "team": {"channel": "C1"}}[step]
    named = {"key": f"order:o-1:{step}:1", "subject_kind": "order", "subject_id": "o-1", "step": step, "attempt": 1}
    provider = {"label": "shippo", "team": "slack"}.get(step, "stripe")
    return Known(**named, provider=provider, state=state, reference=reference, request=request, **more)


SAME = [
    pytest.param(a_payment(), the_ledger(), id="a payment"),
    pytest.param(a_payment(PaymentStatus.FAILED), the_ledger(state=EffectState.REFUSED), id="a declined payment"),
    pytest.param(a_payment(PaymentStatus.FAILED), the_ledger(state=EffectState.REFUSED, reference=None), id="declined without an id"),
    pytest.param(a_payment(), the_ledger(state=EffectState.PENDING), id="a payment of which news is on the way"),
    pytest.param(a_payment(), the_ledger(state=EffectState.INTENDED, reference=None, in_flight=True), id="a call under way"),
    pytest.param(a_payment(), the_ledger(state=EffectState.REFUSED, heard=True), id="a payment that was given back as late money"),
    pytest.param(a_refund(), the_ledger(heard=True), id="a refund by hand that was told"),
    pytest.param(a_label(), the_ledger("label", reference="t_1"), id="a label"),
    pytest.param(a_label(VoidStatus.PENDING), the_ledger("label", reference="t_1", void_known=True), id="a label that we give back"),
    pytest.param(a_label(VoidStatus.REFUSED), the_ledger("label", reference="t_1"), id="a label that the carrier does not take back"),
]
DIFFERENT = [
    pytest.param(a_payment(), None, What.UNASKED, -5_000, False, id="a payment that nobody asked for"),
    pytest.param(a_payment(payment_id="pi_2"), the_ledger(), What.TWICE, -5_000, False, id="a second payment"),
    pytest.param(a_payment(amount=4_000), the_ledger(), What.OTHER_MONEY, 1_000, False, id="another amount"),
    pytest.param(a_payment(PaymentStatus.CANCELED), the_ledger(), What.OTHER_STATUS, 5_000, False, id="a payment that was canceled"),
    pytest.param(a_payment(), the_ledger(state=EffectState.REFUSED), What.OTHER_STATUS, -5_000, True, id="it came after all"),
    pytest.param(a_payment(), the_ledger(state=EffectState.UNKNOWN, reference=None), What.UNKNOWN_HERE, -5_000, True, id="unknown here"),
    pytest.param(a_refund(), the_ledger(), What.BY_HAND, 5_000, True, id="a refund by hand"),
    pytest.param(a_refund(2_000), the_ledger("refund", reference="re_1"), What.OTHER_MONEY, -3_000, False, id="a smaller refund"),
    pytest.param(a_label(VoidStatus.SUCCEEDED), the_ledger("label", reference="t_1"), What.BY_HAND, 0, True, id="a label voided by hand"),
    pytest.param(a_label(VoidStatus.PENDING), the_ledger("label", reference="t_1"), What.BY_HAND, 0, False, id="a label on its way back"),
]


@pytest.mark.parametrize(("seen", "known"), SAME)
def test_no_difference(seen: Seen, known: Known) -> None:
    assert compare(seen, known) is None


@pytest.mark.parametrize(("seen", "known", "what", "drift", "certain"), DIFFERENT)
def test_a_difference_says_how_much_money_it_is_about(seen: Seen, known: Known | None, what: What, drift: int, certain: bool) -> None:
    difference = compare(seen, known)

    assert difference is not None
    assert (difference.what, difference.drift.get("usd", 0), difference.certain) == (what, drift, certain)


def test_what_is_gone_is_money_that_we_only_think_we_have() -> None:
    assert (gone(the_ledger()).drift, gone(the_ledger("refund")).drift, gone(the_ledger("label")).drift) == (
        {"usd": 5_000},
        {"usd": -5_000},
        {},
    )


def test_a_message_that_nobody_has_touched_is_the_same_and_one_elsewhere_is_not() -> None:
    there = PostedMessage(channel="C2", timestamp="1.0")
    seen = Seen(provider="slack", reference="1.0", result=there, asked={"channel": "C2"})

    difference = compare(seen, the_ledger("team", reference="1.0"))

    assert difference is not None
    assert (difference.what, difference.there) == (What.OTHER, "another channel, there")


def test_news_that_nobody_told_is_certain() -> None:
    news = DeploymentMoved(deployment_id=1, status_id=2, state="success", environment="production")
    seen = a_label().model_copy(update={"news": (news,)})

    difference = compare(seen, the_ledger("label", reference="t_1", news_heard=False))

    assert difference is not None
    assert (difference.what, difference.certain, difference.there) == (What.MISSED, True, "deployment moved")


def test_drift_adds_up_by_currency_and_goes_away_with_repairs() -> None:
    findings = Findings("stripe")
    for seen, known in ((a_payment(), None), (a_payment(amount=4_000), the_ledger()), (a_refund(), the_ledger())):
        difference = compare(seen, known)
        assert difference is not None
        findings.add(difference)

    result = findings.result()

    assert (result.drift, result.found) == ({"usd": 1_000}, 3)
    assert in_money({"jpy": 300, "usd": -1_200}) == "300 JPY, -12.00 USD"
    assert in_money({}) == "none"
