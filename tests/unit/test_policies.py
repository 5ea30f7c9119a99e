"""The table of how patient we are, and that one setting scales all of it."""

from __future__ import annotations

import os
import subprocess
import sys
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


def a_process_with(policies: str, expression: str) -> subprocess.CompletedProcess[str]:
    """A process of its own, because the table is made when it is first read."""
    program = f"from hub.policies import BREAKER, EXTERNAL, PAYMENT; print({expression})"
    environment = {**os.environ, "HUB_POLICIES": policies}
    return subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False)  # noqa: S603


def test_a_setting_changes_what_it_names_and_nothing_else() -> None:
    changes = '{"payment": {"attempts": 3, "budget_seconds": 30}, "breaker": {"least_calls": 20}}'
    process = a_process_with(changes, "PAYMENT.attempts, PAYMENT.budget_seconds, PAYMENT.factor, EXTERNAL.attempts, BREAKER.least_calls")

    assert process.stdout == "3 30.0 2 5 20\n"


@pytest.mark.parametrize("wrong", ['{"paiment": {}}', '{"payment": {"attempts": 0}}', '{"breaker": {"share": 2}}', "three"])
def test_a_policy_that_makes_no_sense_is_named_at_the_start(wrong: str) -> None:
    process = a_process_with(wrong, "PAYMENT")

    assert process.returncode == 1
    assert "policies" in process.stderr
