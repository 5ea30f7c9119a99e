"""What a provider tells us is understood, or said not to be; nothing in between."""

from __future__ import annotations

import copy
import json
import re
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.readings import Address, News, Unreadable, all_readings, reading_of, reads
from hub.readings.news import effect_in
from tests.unit.expected_news import EXPECTED, HUB_ID

SAMPLES = Path(__file__).parents[1] / "samples"
NAMES = sorted(f"{path.parent.name}/{path.name.removesuffix('.json')}" for path in SAMPLES.rglob("*.json"))


@cache
def text_of(name: str) -> str:
    return (SAMPLES / f"{name}.json").read_text()


def kind_of(name: str) -> tuple[str, str]:
    """Provider and kind of a sample; what follows the kind is the name of the variant."""
    provider, _, rest = name.partition("/")
    kinds = [kind for kind_provider, kind in all_readings() if kind_provider == provider and f"{rest}.".startswith(f"{kind}.")]
    return provider, max(kinds, key=len)


def read(name: str, event: dict[str, Any]) -> News | None:
    reading = reading_of(*kind_of(name))
    assert reading is not None
    return reading(event)


def test_every_event_that_is_read_has_a_sample_and_every_sample_is_expected_to_mean_something() -> None:
    assert {kind_of(name) for name in NAMES} == set(all_readings())
    assert set(NAMES) == set(EXPECTED)


@pytest.mark.parametrize("name", NAMES)
def test_the_sample_means_what_we_expect(name: str) -> None:
    assert read(name, json.loads(text_of(name))) == EXPECTED[name]


@pytest.mark.parametrize("name", NAMES)
def test_nothing_personal_gets_into_a_fact(name: str) -> None:
    news = read(name, json.loads(text_of(name)))

    assert news is None or not re.search(r"@|\+1500555", news.model_dump_json())


places = st.lists(st.integers(0, 50), min_size=1, max_size=5)
values = (st.none(), st.booleans(), st.integers(-1, 10**20), st.floats(), st.text(max_size=5), st.sampled_from([[], {}, [{}], ...]))


def damaged(event: Any, place: list[int], stand_in: Any) -> Any:
    """``event`` with what stands at ``place`` taken away (``...``) or replaced."""
    event = copy.deepcopy(event)
    inner = event
    for left, step in zip(reversed(range(len(place))), place, strict=True):
        names: list[Any] = list(inner) if isinstance(inner, dict) else list(range(len(inner)))
        if not names:
            return event
        name = names[step % len(names)]
        if not left or not isinstance(inner[name], dict | list):
            if stand_in is ...:
                del inner[name]
            else:
                inner[name] = stand_in
            return event
        inner = inner[name]
    return event


@given(name=st.sampled_from(NAMES), place=places, stand_in=st.one_of(*values))
def test_a_damaged_event_is_unreadable_or_harmless_and_never_a_crash(name: str, place: list[int], stand_in: Any) -> None:
    news: News | None = None
    with suppress(Unreadable):
        news = read(name, damaged(json.loads(text_of(name)), place, stand_in))

    assert news is None or news.facts


@pytest.mark.parametrize("name", [name for name in NAMES if EXPECTED[name] is not None and "subscribe" not in name and "spam" not in name])
def test_an_event_without_its_object_is_unreadable_and_says_where(name: str) -> None:
    event = json.loads(text_of(name))
    part = next(part for part in ("data", "deployment_status", "actions", "MessageStatus", "event") if part in event)
    del event[part]

    with pytest.raises(Unreadable, match=f"not as the provider describes it: {part}"):
        read(name, event)


UNKNOWN_WORDS = {
    "stripe/refund.updated": ("data", "object", "status"),
    "stripe/charge.dispute.closed.won": ("data", "object", "status"),
    "shippo/transaction_created": ("data", "status"),
    "shippo/track_updated.transit": ("data", "tracking_status", "status"),
    "github/deployment_status.success": ("deployment_status", "state"),
}


@pytest.mark.parametrize("name", UNKNOWN_WORDS)
def test_a_word_that_nobody_has_documented_is_unreadable_and_not_repeated(name: str) -> None:
    event = json.loads(text_of(name))
    *path, last = UNKNOWN_WORDS[name]
    inner = event
    for step in path:
        inner = inner[step]
    inner[last] = "levitating"

    with pytest.raises(Unreadable) as doubt:
        read(name, event)

    assert "levitating" not in str(doubt.value)


@pytest.mark.parametrize(
    "changes", [{"currency": "moons"}, {"amount_received": -1}, {"amount_received": "10000"}, {"amount_received": True}]
)
def test_money_that_cannot_be_is_unreadable(changes: dict[str, Any]) -> None:
    event = json.loads(text_of("stripe/payment_intent.succeeded"))
    event["data"]["object"] |= changes

    with pytest.raises(Unreadable):
        read("stripe/payment_intent.succeeded", event)


def test_an_event_about_another_hub_is_about_another_hub() -> None:
    other = uuid4()
    event = text_of("stripe/payment_intent.succeeded").replace(str(HUB_ID), str(other))
    news = read("stripe/payment_intent.succeeded", json.loads(event))

    assert news is not None
    assert isinstance(news.about, Address)
    assert not news.about.belongs_to(HUB_ID)
    assert news.about.belongs_to(other)


@pytest.mark.parametrize("hub_id", [HUB_ID, HUB_ID.hex[:12], None])
def test_an_address_belongs_to_the_hub_whose_id_or_its_beginning_it_carries(hub_id: UUID | str | None) -> None:
    address = Address(hub_id=hub_id, subject_kind="order", subject_id="o-1")

    assert address.belongs_to(HUB_ID)
    assert address.belongs_to(UUID(int=1)) is (hub_id is None)


SUBJECTS = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", fullmatch=True)
STEPS = st.from_regex(r"[a-z][a-z0-9-]{0,20}(\.[a-z0-9-]{1,10})?", fullmatch=True)


@given(hub_id=st.uuids(), subject=SUBJECTS, step=STEPS, attempt=st.integers(1, 9999), short=st.booleans())
def test_our_key_is_understood_whatever_the_order_is_called(hub_id: UUID, subject: str, step: str, attempt: int, short: bool) -> None:
    ours = effect_in(f"{hub_id.hex[:12] if short else hub_id}:order:{subject}:{step}:{attempt}")

    assert ours is not None
    assert (ours.step, ours.attempt) == (step, attempt)
    assert ours.about.effect_key == f"order:{subject}:{step}:{attempt}"
    assert ours.about.belongs_to(hub_id)


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "Order 558",
        "order:o-1:payment:1",
        f"{HUB_ID}:order:o-1:payment",
        f"{HUB_ID}:order:o-1:payment:0",
        f"{HUB_ID}:order:o:1:payment:1",
        f"{HUB_ID}:order:o-1:payment:1\n",
        f"{HUB_ID}:order:o-1:payment:٣",
        f"{str(HUB_ID).upper()}:order:o-1:payment:1",
    ],
)
def test_whatever_is_not_our_key_is_nobody_we_know(text: str | None) -> None:
    assert effect_in(text) is None


def test_an_event_has_one_reading() -> None:
    with pytest.raises(ValueError, match="two readings"):
        reads("stripe", "charge.refunded")(lambda _: None)


def test_an_event_that_nobody_reads_has_none() -> None:
    assert reading_of("stripe", "customer.created") is None
