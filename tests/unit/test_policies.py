"""The table of how patient we are, and that one setting scales all of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from hub.policies import EXTERNAL, INTERNAL, JITTER, NOTIFICATION, PAYMENT, RESTART, Policy
from hub.settings import settings


@pytest.fixture
def scale(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[float]:
    monkeypatch.setenv("HUB_TIME_SCALE", str(request.param))
    settings.cache_clear()
    yield request.param
    settings.cache_clear()


MINUTE = 60
TABLE = [
    (EXTERNAL, (5 * MINUTE, 5, 2, 2, 60), [2, 4, 8, 16]),
    (PAYMENT, (10 * MINUTE, 2, 2, 2, 60), [2]),
    (INTERNAL, (2 * MINUTE, 3, 1, 1.5, 30), [1, 1.5]),
    (NOTIFICATION, (2 * MINUTE, 5, 1, 2, 30), [1, 2, 4, 8]),
    (RESTART, (24 * 60 * MINUTE, 8, 60, 2, 3600), [60, 120, 240, 480, 960, 1920, 3600]),
]


@pytest.mark.parametrize("scale", [1, 0.01, 10], indirect=True)
@pytest.mark.parametrize(("policy", "numbers", "waits"), TABLE, ids=lambda value: getattr(value, "name", ""))
def test_the_policies_are_those_of_the_design(policy: Policy, numbers: tuple[float, ...], waits: list[float], scale: float) -> None:
    options = policy.task_options()

    assert (policy.budget_seconds, policy.attempts, policy.first_wait_seconds, policy.factor, policy.longest_wait_seconds) == numbers
    assert options.pop("retry_delay_seconds") == pytest.approx([wait * scale for wait in waits])
    assert options == {"retries": policy.attempts - 1, "retry_jitter_factor": JITTER}


@pytest.mark.parametrize("scale", [1], indirect=True)
@pytest.mark.parametrize(
    ("policy", "cap"), [(EXTERNAL, 60), (INTERNAL, 30), (NOTIFICATION, 30), (RESTART, 3600)], ids=lambda value: getattr(value, "name", "")
)
def test_no_wait_is_longer_than_its_cap(policy: Policy, cap: float, scale: float) -> None:
    assert [policy.wait_seconds(after) for after in (20, 500)] == [cap, cap]
