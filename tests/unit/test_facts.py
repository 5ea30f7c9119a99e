"""Facts may come twice, late, and in any order: the order they are about ends up the same."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.facets import Facets, HoldFacet, ParcelFacet, PaymentFacet, Status, StockFacet, forward, rank, status_of
from hub.facts import (
    Announced,
    AttentionNeeded,
    Fact,
    LabelBought,
    LabelRefused,
    PaymentCanceled,
    PaymentFailed,
    PaymentProcessing,
    PaymentSettled,
    PaymentWaits,
    RefundSettled,
    StockReleased,
    StockReserved,
    StockShort,
    UndoBegun,
    UndoFinished,
    after,
    identity_of,
)
from hub.payments import NextAction

AMOUNT = 10_000
FACETS = (PaymentFacet, ParcelFacet, StockFacet, HoldFacet)
COMBINATIONS = [
    Facets(payment=payment, parcel=parcel, stock=stock, hold=hold, attention=attention)
    for payment, parcel, stock, hold, attention in product(*FACETS, (False, True))
]

attempts = st.integers(1, 3)
payment_ids = st.sampled_from(["pi_1", "pi_2"])
facts: st.SearchStrategy[Fact] = st.one_of(
    st.builds(StockReserved, attempt=attempts),
    st.builds(StockShort, attempt=attempts, products=st.just(("prod-123",))),
    st.builds(StockReleased, attempt=attempts),
    st.builds(PaymentWaits, attempt=attempts, payment_id=payment_ids, next_action=st.just(NextAction(type="redirect_to_url"))),
    st.builds(PaymentProcessing, attempt=attempts, payment_id=payment_ids),
    st.builds(
        PaymentSettled, attempt=attempts, payment_id=payment_ids, charge_id=st.none(), amount=st.just(AMOUNT), currency=st.just("usd")
    ),
    st.builds(PaymentFailed, attempt=attempts, payment_id=payment_ids | st.none(), code=st.just("generic_decline")),
    st.builds(PaymentCanceled, attempt=attempts, payment_id=payment_ids),
    st.builds(
        RefundSettled,
        refund_id=st.sampled_from(["re_1", "re_2", "re_3"]),
        amount=st.sampled_from([1, 4_000, 6_000, AMOUNT]),
        currency=st.just("usd"),
    ),
    st.builds(LabelBought, label_id=st.sampled_from(["l_1", "l_2"]), tracking_number=st.just("1Z")),
    st.builds(LabelRefused, attempt=attempts, code=st.just("no_rates")),
    st.builds(Announced, missed=st.just(())),
    st.builds(UndoBegun, because=st.just("the label was refused")),
    st.builds(UndoFinished),
    st.builds(AttentionNeeded, epoch=st.integers(1, 2), reason=st.just("nobody knows")),
)


def known_as(fact: Fact) -> tuple[str, str]:
    return fact.kind, identity_of(fact)


histories = st.lists(facts, max_size=12, unique_by=known_as)


def stages(history: list[Fact], attempt: int) -> list[Facets]:
    """The facets after each fact, recorded once per identity as the database's unique constraint does."""
    now, seen = Facets(attempt=attempt, amount=AMOUNT), set()
    all_stages = [now]
    for fact in history:
        if known_as(fact) not in seen:
            now = after(now, fact)
        seen.add(known_as(fact))
        all_stages.append(now)
    return all_stages


@given(history=histories, attempt=attempts, data=st.data())
def test_any_order_and_any_repetition_of_the_same_facts_give_the_same_order(history: list[Fact], attempt: int, data: st.DataObject) -> None:
    again = data.draw(st.lists(st.sampled_from(history), max_size=6)) if history else []
    shuffled = data.draw(st.permutations(history + again))

    end, other_end = stages(history, attempt)[-1], stages(shuffled, attempt)[-1]

    assert end == other_end
    assert status_of(end) == status_of(other_end)


@given(history=histories, attempt=attempts)
def test_no_fact_ever_sets_a_facet_back(history: list[Fact], attempt: int) -> None:
    for earlier, later in zip(stages(history, attempt), stages(history, attempt)[1:], strict=False):
        for name in ("payment", "parcel", "stock", "hold"):
            assert rank(getattr(later, name)) >= rank(getattr(earlier, name))
        assert later.refunded >= earlier.refunded
        assert later.attention >= earlier.attention


@given(history=histories, attempt=attempts)
def test_what_happened_to_another_attempts_payment_or_stock_moves_nothing(history: list[Fact], attempt: int) -> None:
    mine = [fact for fact in history if getattr(fact, "attempt", attempt) == attempt]

    assert stages(history, attempt)[-1] == stages(mine, attempt)[-1]


@given(st.lists(st.tuples(st.sampled_from(["re_1", "re_2", "re_3"]), st.integers(1, AMOUNT)), unique_by=lambda refund: refund[0]))
def test_refunded_is_the_sum_over_distinct_refunds_and_all_of_it_is_a_refunded_order(refunds: list[tuple[str, int]]) -> None:
    paid: list[Fact] = [PaymentSettled(attempt=1, payment_id="pi_1", charge_id=None, amount=AMOUNT, currency="usd")]
    back: list[Fact] = [RefundSettled(refund_id=name, amount=amount, currency="usd") for name, amount in refunds]
    end = stages(paid + back + back, 1)[-1]

    assert end.refunded == sum(amount for _, amount in refunds)
    assert status_of(end) is (Status.REFUNDED if end.refunded >= AMOUNT else Status.PAID)


@given(facts)
def test_a_fact_comes_out_of_the_database_as_it_went_in(fact: Fact) -> None:
    assert type(fact).model_validate(fact.model_dump(mode="json")) == fact


def test_every_combination_of_facets_has_a_status_and_every_status_has_a_combination() -> None:
    assert {status_of(facets) for facets in COMBINATIONS} == set(Status)


def test_a_person_is_asked_for_whatever_else_is_known() -> None:
    assert {status_of(facets) for facets in COMBINATIONS if facets.attention} == {Status.NEEDS_ATTENTION}


def test_an_order_without_money_never_looks_paid() -> None:
    unpaid = [facets for facets in COMBINATIONS if rank(facets.payment) < rank(PaymentFacet.PAID) and facets.parcel is ParcelFacet.NONE]

    assert not {status_of(facets) for facets in unpaid} & {Status.PAID, Status.CONFIRMED, Status.REFUNDED, Status.REFUNDING}


@pytest.mark.parametrize(
    ("facets", "status"),
    [
        ({}, "received"),
        ({"stock": "reserved"}, "received"),
        ({"stock": "short"}, "out_of_stock"),
        ({"payment": "awaits_customer"}, "awaiting_payment"),
        ({"payment": "processing"}, "awaiting_payment"),
        ({"payment": "failed", "stock": "released"}, "payment_failed"),
        ({"payment": "canceled"}, "payment_failed"),
        ({"payment": "paid"}, "paid"),
        ({"payment": "paid", "parcel": "labelled"}, "paid"),
        ({"payment": "paid", "parcel": "announced"}, "confirmed"),
        ({"payment": "paid", "parcel": "packed"}, "packed"),
        ({"payment": "paid", "parcel": "in_transit"}, "in_transit"),
        ({"payment": "paid", "parcel": "delivered"}, "delivered"),
        ({"payment": "paid", "parcel": "returned"}, "returned"),
        ({"payment": "paid", "parcel": "refused", "hold": "undoing"}, "refunding"),
        ({"payment": "refunded", "parcel": "refused", "hold": "undoing"}, "refunding"),
        ({"payment": "refunded", "parcel": "refused", "hold": "undone"}, "refunded"),
        ({"payment": "processing", "hold": "undoing"}, "cancelling"),
        ({"payment": "canceled", "hold": "undone"}, "cancelled"),
        ({"payment": "disputed", "parcel": "delivered"}, "disputed"),
    ],
)
def test_the_status_of_an_order(facets: dict[str, str], status: str) -> None:
    assert status_of(Facets.model_validate(facets)) == status


@pytest.mark.parametrize("facet", FACETS)
def test_forward_takes_the_higher_of_the_two(facet: type[PaymentFacet]) -> None:
    for one, other in product(facet, facet):
        assert rank(forward(one, other)) == max(rank(one), rank(other))
