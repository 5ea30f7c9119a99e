"""What the hub promises is read from the code that keeps it."""

from __future__ import annotations

import importlib

import pytest

from deployments.guarantees import guarantees, promises, step_promises
from hub.effects import STEPS
from hub.lost_answers import RESIDUE, WhenLost


def test_every_step_of_every_process_says_what_happens_when_its_answer_is_lost() -> None:
    assert {(told.process, told.step) for told in step_promises()} == {
        (process, name) for process, steps in STEPS.items() for name in steps
    }
    assert set(RESIDUE) == set(WhenLost)


def test_money_and_labels_are_never_doubled_and_a_mail_rather_goes_missing() -> None:
    ways = {(told.process, told.step): told.when_lost for told in step_promises()}

    assert {way for (_, step), way in ways.items() if "payment" in step or "refund" in step} <= {WhenLost.SAME_KEY, WhenLost.LEFT_ALONE}
    assert (ways["order", "payment"], ways["order", "refund"], ways["signup", "payment"]) == (WhenLost.SAME_KEY,) * 3
    looked_for = (("order", "label"), ("order", "void"), ("order", "team"), ("signup", "profile"))
    assert {ways[step] for step in looked_for} == {WhenLost.LOOKED_FOR}
    assert (ways["release", "deployment"], ways["release", "mark"]) == (WhenLost.LOOKED_FOR,) * 2
    assert ways["release", "update"] is WhenLost.REPEATED
    assert (ways["order", "mail"], ways["signup", "welcome-mail"]) == (WhenLost.LEFT_ALONE,) * 2


def test_what_enforces_a_promise_is_there(capsys: pytest.CaptureFixture[str]) -> None:
    for promise in promises():
        module, _, name = promise.where.rpartition(".")
        assert callable(getattr(importlib.import_module(module), name))

    guarantees()

    printed = capsys.readouterr().out
    assert "hub.beginning.begin" in printed
    assert "never twice" in printed
