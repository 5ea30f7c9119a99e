"""Prefect's memory in front of the ledger: when a task's earlier result still counts, and when it may be tried again."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from prefect.cache_policies import CachePolicy

from hub.errors import NobodyKnows, NotSent, OutcomeUnknown
from hub.subjects import Subject

if TYPE_CHECKING:
    from prefect.client.schemas.objects import State, TaskRun
    from prefect.context import TaskRunContext
    from prefect.tasks import Task


@dataclass
class EffectAndEpoch(CachePolicy):
    """
    A result counts as long as nothing but the step itself has changed the subject: ``sha256(hub_id | effect key | epoch)``.

    The step is the task's name, numbered like its parameter ``owed`` (an effect that a fact has made necessary), if it has one; hub, key
    and epoch come from the subject among the task's parameters, the snapshot that the claim gave.
    """

    def compute_key(self, task_ctx: TaskRunContext, inputs: dict[str, Any], flow_parameters: dict[str, Any], **kwargs: Any) -> str:
        """Return the key; hashed, because it becomes a file name in local result storage."""
        del flow_parameters, kwargs
        subject = next(value for value in inputs.values() if isinstance(value, Subject))
        owed, step = inputs.get("owed"), task_ctx.task.name
        key = subject.effect_key(step) if owed is None else subject.effect_key(f"{step}.{owed.step.partition('.')[2]}")
        return hashlib.sha256(f"{subject.hub_id}|{key}|{subject.epoch}".encode()).hexdigest()


EFFECT_AND_EPOCH = EffectAndEpoch()


async def worth_asking_again(task: Task[Any, Any], run: TaskRun, state: State[Any]) -> bool:
    """Nothing was sent, or the ledger has to look again; a refusal, a park and a wrong key stay what they are."""
    del task, run
    failure = await state.aresult(raise_on_failure=False)
    return isinstance(failure, NotSent | OutcomeUnknown) and not isinstance(failure, NobodyKnows)


async def worth_another_transaction(task: Task[Any, Any], run: TaskRun, state: State[Any]) -> bool:
    """The database did not answer; what it answered stays."""
    del task, run
    return isinstance(await state.aresult(raise_on_failure=False), OSError | TimeoutError | ConnectionError)
