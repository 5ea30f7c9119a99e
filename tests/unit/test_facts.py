"""Facts may come twice, late, and in any order: the order they are about ends up the same."""

from __future__ import annotations

from itertools import permutations, product
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.facets import DisputeFacet, Facets, HoldFacet, ParcelFacet, PaymentFacet, Status, StockFacet, forward, rank, status_of
from hub.facts import (
    AttentionNeeded,
    Delivered,
    DeliveryFailed,
    DisputeClosed,
    DisputeOpened,
    Fact,
    LabelVoided,
    Packed,
    PaymentSettled,
    RefundedInAll,
    RefundFailed,
    RefundSettled,
    Returned,
    VoidRefused,
    of_attempt,
)
from hub.progress import after, anew, needs_a_person
from tests.unit.drawn_facts import AMOUNT, BY_KIND, REFUNDS, USD, attempts, facts, known_as

FACETS = (PaymentFacet, ParcelFacet, StockFacet, HoldFacet, DisputeFacet)
COMBINATIONS = [
    Facets(payment=payment, parcel=parcel, stock=stock, hold=hold, dispute=dispute, attention=attention)
    for payment, parcel, stock, hold, dispute, attention in product(*FACETS, (False, True))
]
histories = st.lists(facts, max_size=14)


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
        for name in ("payment", "parcel", "stock", "hold", "dispute"):
            assert rank(getattr(later, name)) >= rank(getattr(earlier, name))
        assert later.refunded >= earlier.refunded
        assert later.refunded_in_all >= earlier.refunded_in_all
        assert later.attention >= earlier.attention


@given(history=histories, attempt=attempts)
def test_what_happened_to_another_attempts_payment_or_stock_moves_nothing_but_may_call_a_person(history: list[Fact], attempt: int) -> None:
    mine = [fact for fact in history if getattr(fact, "attempt", attempt) == attempt]

    everything = stages(history, attempt)[-1]

    assert everything.model_copy(update={"attention": False}) == stages(mine, attempt)[-1].model_copy(update={"attention": False})
    assert everything.attention == any(needs_a_person(fact) for fact in history)


@st.composite
def lives(draw: st.DrawFn) -> tuple[list[Fact], list[Fact | int]]:
    """The same facts twice: each time shuffled among the new attempts, but none before the attempt that it is about."""
    history = draw(histories)
    both = []
    for _ in range(2):
        again = draw(st.lists(st.sampled_from(history), max_size=4)) if history else []
        both.append(draw(st.permutations([*history, *again, 0, 0])))
    return both[0], both[1]


def lived(mixed: list[Fact | int]) -> Facets:
    """The facets at the end of three attempts; 0 stands for the beginning of the next one."""
    now, seen, early = Facets(amount=AMOUNT), set(), []
    waiting = list(mixed)
    while waiting:
        fact = waiting.pop(0)
        if isinstance(fact, int):
            now = anew(now, now.attempt + 1)
            waiting, early = early + waiting, []
        elif getattr(fact, "attempt", 0) > now.attempt:
            early.append(fact)
        elif known_as(fact) not in seen:
            seen.add(known_as(fact))
            now = after(now, fact)
    return now


@given(lives())
def test_however_facts_and_attempts_are_mixed_the_order_ends_the_same(both: tuple[list[Fact | int], list[Fact | int]]) -> None:
    one, other = lived(both[0]), lived(both[1])

    assert one == other
    assert status_of(one) == status_of(other)


@given(st.permutations([RefundSettled(refund_id=name, **REFUNDS[name], **USD) for name in REFUNDS]), attempts)
def test_refunded_is_the_sum_over_distinct_refunds_of_this_attempts_payment(refunds: list[Fact], attempt: int) -> None:
    paid: list[Fact] = [PaymentSettled(attempt=attempt, payment_id="pi_1", charge_id=None, amount=AMOUNT, currency="usd")]
    end = stages(paid + refunds + refunds, attempt)[-1]

    assert end.refunded == sum(refund["amount"] for refund in REFUNDS.values() if refund["attempt"] == attempt)
    assert status_of(end) is (Status.REFUNDED if end.refunded >= AMOUNT else Status.PAID)


@given(st.data())
def test_what_was_refunded_is_known_from_the_refunds_or_from_the_charge_whichever_knows_more(data: st.DataObject) -> None:
    told: list[Fact] = [
        RefundSettled(attempt=1, refund_id="re_1", amount=4_000, currency="usd"),
        RefundedInAll(attempt=1, charge_id="ch_1", amount=4_000, currency="usd"),
        RefundedInAll(attempt=1, charge_id="ch_1", amount=7_000, currency="usd"),
    ]

    assert stages(data.draw(st.permutations(told)), 1)[-1].given_back == 7_000


def test_whoever_is_told_first_of_a_refund_by_its_charge_knows_that_the_order_is_refunded() -> None:
    told: list[Fact] = [
        RefundedInAll(attempt=1, charge_id="ch_1", amount=AMOUNT, currency="usd"),
        PaymentSettled(attempt=1, payment_id="pi_1", charge_id="ch_1", amount=AMOUNT, currency="usd"),
    ]

    assert status_of(stages(told, 1)[-1]) is Status.REFUNDED


@given(st.permutations(range(3)))
def test_a_dispute_that_was_won_lets_the_order_be_what_it_was(places: list[int]) -> None:
    told: list[Fact] = [
        DisputeOpened(attempt=1, dispute_id="dp_1", charge_id="ch_1", reason="fraudulent", amount=AMOUNT, currency="usd"),
        DisputeClosed(attempt=1, dispute_id="dp_1", won=True),
        Delivered(),
    ]
    end = stages([told[place] for place in places], 1)[-1]

    assert status_of(end.model_copy(update={"attention": False})) is Status.DELIVERED


def test_of_two_disputes_the_lost_one_counts_whichever_is_heard_of_first() -> None:
    told: list[Fact] = [
        *(
            DisputeOpened(attempt=1, dispute_id=name, charge_id="ch_1", reason="fraudulent", amount=5_000, currency="usd")
            for name in ("dp_1", "dp_2")
        ),
        DisputeClosed(attempt=1, dispute_id="dp_1", won=True),
        DisputeClosed(attempt=1, dispute_id="dp_2", won=False),
    ]

    assert {stages(list(order), 1)[-1].dispute for order in permutations(told)} == {DisputeFacet.LOST}


def test_what_only_a_person_can_mend_calls_one_whichever_attempt_it_is_about() -> None:
    calling: list[Fact] = [
        RefundFailed(attempt=1, refund_id="re_1", code="expired_or_canceled_card"),
        DisputeOpened(attempt=1, dispute_id="dp_1", charge_id="ch_1", reason="fraudulent", amount=AMOUNT, currency="usd"),
        DisputeClosed(attempt=1, dispute_id="dp_1", won=False),
        DeliveryFailed(code="delivery_failed"),
        AttentionNeeded(epoch=1, reason="nobody knows"),
        VoidRefused(label_id="l_1"),
    ]
    others: list[Fact] = [DisputeClosed(attempt=1, dispute_id="dp_1", won=True), Returned(), LabelVoided(label_id="l_1")]

    assert all(needs_a_person(fact) and stages([fact], 2)[-1].attention for fact in calling)
    assert not any(needs_a_person(fact) or stages([fact], 2)[-1].attention for fact in others)


def test_a_fact_about_a_payment_learns_its_attempt_from_whoever_knows_it() -> None:
    unknown = DisputeClosed(attempt=None, dispute_id="dp_1", won=False)

    assert of_attempt(unknown, 2) == DisputeClosed(attempt=2, dispute_id="dp_1", won=False)
    assert of_attempt(of_attempt(unknown, 2), 3) == of_attempt(unknown, 2)
    assert of_attempt(Packed(), 2) == Packed()


def test_every_fact_there_is_is_drawn() -> None:
    assert set(BY_KIND) == set(get_args(get_args(Fact)[0]))


@given(facts)
def test_a_fact_comes_out_of_the_database_as_it_went_in(fact: Fact) -> None:
    assert type(fact).model_validate(fact.model_dump(mode="json")) == fact


def test_every_combination_of_facets_has_a_status_and_every_status_has_a_combination() -> None:
    assert {status_of(facets) for facets in COMBINATIONS} == set(Status)


def test_a_person_is_asked_for_whatever_else_is_known() -> None:
    undisputed = [facets for facets in COMBINATIONS if facets.dispute in (DisputeFacet.NONE, DisputeFacet.WON)]

    assert {status_of(facets) for facets in undisputed if facets.attention} == {Status.NEEDS_ATTENTION}


def test_an_order_whose_money_the_bank_wants_is_disputed_whatever_else_is_known() -> None:
    disputed = [facets for facets in COMBINATIONS if facets.dispute in (DisputeFacet.OPEN, DisputeFacet.LOST)]

    assert {status_of(facets) for facets in disputed} == {Status.DISPUTED}


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
        ({"payment": "paid", "parcel": "delivered", "dispute": "open"}, "disputed"),
        ({"payment": "paid", "parcel": "delivered", "dispute": "won"}, "delivered"),
        ({"payment": "refunded", "hold": "undone", "dispute": "lost"}, "disputed"),
    ],
)
def test_the_status_of_an_order(facets: dict[str, str], status: str) -> None:
    assert status_of(Facets.model_validate(facets)) == status


@pytest.mark.parametrize("facet", FACETS)
def test_forward_takes_the_higher_of_the_two(facet: type[PaymentFacet]) -> None:
    for one, other in product(facet, facet):
        assert rank(forward(one, other)) == max(rank(one), rank(other))
