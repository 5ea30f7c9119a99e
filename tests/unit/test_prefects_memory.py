"""When a result that Prefect remembers still counts, and the names under which Prefect files things."""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prefect import task
from prefect.context import TaskRunContext
from prefect.states import Failed

from deployments.examples import EXAMPLE_ORDER
from hub.errors import Misconfigured, NotSent, OutcomeUnknown, RateLimited, Refused
from hub.facets import Facets, PaymentFacet
from hub.incoming import SUBJECT_ID
from hub.orders import Order, OrderRequest
from tasks.memory import EFFECT_AND_EPOCH, worth_another_transaction, worth_asking_again
from tasks.timeline import artifact_key

ORDER = Order(
    id="o-1001",
    hub_id=UUID(int=7),
    correlation_id="c-1",
    request=OrderRequest.model_validate(EXAMPLE_ORDER),
    payment_method="pm_card_visa",
    attempt=1,
    epoch=1,
    fence=1,
    run_id="run",
    facets=Facets(amount=10_000),
    due=True,
)


def key(*, step: str = "payment", more: dict[str, Any] | None = None, flow_parameters: dict[str, Any] | None = None, **changes: Any) -> str:
    async def some_step(order: Order) -> None:
        """Never run."""

    construct: Any = TaskRunContext.model_construct  # the key needs no more of a context than its task
    context = construct(task=task(name=step)(some_step))
    inputs = {"order": ORDER.model_copy(update=changes), **(more or {})}
    found = EFFECT_AND_EPOCH.compute_key(context, inputs, flow_parameters or {})
    assert found is not None
    return found


@pytest.mark.parametrize(
    "changes",
    [{"hub_id": UUID(int=8)}, {"step": "label"}, {"attempt": 2}, {"epoch": 2}, {"id": "o-1002"}],
    ids=lambda changes: next(iter(changes)),
)
def test_another_hub_step_attempt_epoch_or_order_is_not_remembered(changes: dict[str, Any]) -> None:
    assert key(**changes) != key()


@pytest.mark.parametrize(
    "changes",
    [
        {"fence": 9},
        {"run_id": "another run"},
        {"facets": Facets(amount=10_000, payment=PaymentFacet.PAID)},
        {"payment_method": "pm_card_mastercard"},
        {"payment_id": "pi_1"},
        {"message": "paid"},
        {"due": False},
        {"more": {"label": "another"}},
        {"flow_parameters": {"attempt": 3}},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_nothing_else_makes_it_forget(changes: dict[str, Any]) -> None:
    assert key(**changes) == key()


def test_a_key_is_a_file_name_that_tells_nothing() -> None:
    assert re.fullmatch(r"[0-9a-f]{64}", key())


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (NotSent("stripe", "pay", "refused"), True),
        (RateLimited("stripe", "pay", "429", 1), True),
        (OutcomeUnknown("stripe", "pay", "502"), True),
        (Misconfigured("stripe", "pay", "401"), False),
        (Refused("stripe", "pay", "declined", "card_declined"), False),
        (ValueError("a bug of ours"), False),
    ],
    ids=lambda value: type(value).__name__,
)
async def test_only_what_may_go_better_is_asked_again(error: Exception, again: bool) -> None:
    state: Any = Failed(data=error)
    nobody: Any = None

    assert await worth_asking_again(nobody, nobody, state) is again
    assert not await worth_another_transaction(nobody, nobody, state)


@pytest.mark.parametrize("error", [ConnectionRefusedError(), TimeoutError(), OSError()], ids=lambda error: type(error).__name__)
async def test_a_database_that_did_not_answer_is_asked_again(error: Exception) -> None:
    state: Any = Failed(data=error)
    nobody: Any = None

    assert await worth_another_transaction(nobody, nobody, state)


order_ids = st.from_regex(SUBJECT_ID.replace("$", r"\Z"), fullmatch=True)


@given(order_ids)
def test_every_order_has_an_artifact_key_that_prefect_takes(order_id: str) -> None:
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", artifact_key(order_id))


@given(st.lists(order_ids, min_size=2, max_size=2, unique=True))
def test_two_orders_never_share_a_timeline(pair: list[str]) -> None:
    assert artifact_key(pair[0]) != artifact_key(pair[1])


@pytest.mark.parametrize("pair", [("O-1", "o-1"), ("o.1", "o-1"), ("o_1", "o.1"), ("o-1-", "o-1"), ("o--1", "o-1")])
def test_orders_whose_ids_look_alike_have_timelines_of_their_own(pair: tuple[str, str]) -> None:
    assert artifact_key(pair[0]) != artifact_key(pair[1])
