"""
Deploys what ``prefect.yaml`` declares, like ``prefect deploy --all``, in the process that is already connected.

The command itself is not used for the local stack: it costs one more import of Prefect, and with FastAPI 0.154 in the server it ends with
422 after the first deployment, because it sends ``"limit": null`` when it looks for workers.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]  # it ships no types
from prefect.client.schemas.objects import ConcurrencyLimitConfig
from prefect.deployments.runner import RunnerDeployment
from prefect.events import DeploymentTriggerTypes
from prefect.schedules import Schedule
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from deployments.problems import Problem

_TRIGGER: TypeAdapter[DeploymentTriggerTypes] = TypeAdapter(DeploymentTriggerTypes)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class DeclaredSchedule(_Strict):
    """When a deployment runs by itself; ``interval`` in seconds."""

    slug: str | None = None
    interval: float | None = None
    cron: str | None = None
    rrule: str | None = None
    timezone: str | None = None
    active: bool = True
    parameters: dict[str, Any] = {}

    def schedule(self) -> Schedule:
        """The schedule in Prefect's terms."""
        return Schedule(
            interval=None if self.interval is None else timedelta(seconds=self.interval),
            cron=self.cron,
            rrule=self.rrule,
            timezone=self.timezone,
            active=self.active,
            parameters=self.parameters,
            slug=self.slug,
        )


class DeclaredPlace(_Strict):
    """Where a deployment runs."""

    name: str
    work_queue_name: str | None = None
    job_variables: dict[str, Any] = {}


class Declared(_Strict):
    """One deployment of ``prefect.yaml``; a field that this program does not know is refused, not ignored."""

    name: str
    entrypoint: str
    work_pool: DeclaredPlace
    description: str | None = None
    version: str | None = None
    tags: list[str] = []
    parameters: dict[str, Any] = {}
    paused: bool | None = None
    enforce_parameter_schema: bool = True
    schedules: list[DeclaredSchedule] = []
    concurrency_limit: int | ConcurrencyLimitConfig | None = None
    triggers: list[dict[str, Any]] = []

    async def deploy(self) -> None:
        """The deployment and its automations are at the server as declared."""
        triggers = [_TRIGGER.validate_python({"name": f"{self.name}__automation_{n}"} | spec) for n, spec in enumerate(self.triggers, 1)]
        deployment = await asyncio.to_thread(
            RunnerDeployment.from_entrypoint,
            self.entrypoint,
            self.name,
            schedules=[declared.schedule() for declared in self.schedules],
            concurrency_limit=self.concurrency_limit,
            parameters=self.parameters,
            triggers=list(triggers),
            description=self.description,
            tags=self.tags,
            version=self.version,
            paused=self.paused,
            enforce_parameter_schema=self.enforce_parameter_schema,
            work_pool_name=self.work_pool.name,
            work_queue_name=self.work_pool.work_queue_name,
            job_variables=self.work_pool.job_variables,
        )
        await deployment.aapply()


def declared(path: Path) -> list[Declared]:
    """
    Read the deployments that ``path`` declares.

    Raises:
        Problem: It holds something that is wrong, or that this program does not know.
    """
    content = yaml.safe_load(path.read_text())
    try:
        return [Declared.model_validate(one) for one in content["deployments"]]
    except ValidationError as wrong:
        first = wrong.errors(include_url=False)[0]
        raise Problem(f"{path.name}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from wrong


async def deploy_all(path: Path, *, sweep_seconds: float | None = None) -> None:
    """Everything that ``path`` declares is deployed; ``sweep_seconds`` replaces the interval of the schedule of `sweep`."""
    for deployment in declared(path):
        if sweep_seconds is not None and deployment.entrypoint.endswith(".sweep"):
            for schedule in deployment.schedules:
                schedule.interval = sweep_seconds
        await deployment.deploy()
