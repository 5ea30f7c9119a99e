"""What strikes while orders are held: kill -9 of the worker, of Prefect's server or of the database, or a worker that stands still."""

from __future__ import annotations

import contextlib
import os
import signal
from dataclasses import replace
from enum import StrEnum
from pathlib import Path

import httpx
import psutil

from deployments.supervisor import Say
from tests.journeys.hub_under_test import Hub, until
from tests.proofs.killing import killed_with_children

TIMEOUT_SECONDS = 20
"""So long the accounts wait for an answer: longer than anybody is held."""
SECOND = "second-worker"


class Strike(StrEnum):
    """What happens to a process."""

    WORKER = "kill -9 worker"
    SERVER = "kill -9 Prefect server"
    DATABASE = "kill -9 database"
    FREEZE = "worker stands still"


class Ward:
    """The processes of the hub under proof: two workers, of which one works and the other one stands still until it is needed."""

    def __init__(self, hub: Hub, held: Path, say: Say) -> None:
        self._hub, self._held, self._say = hub, held, say

    async def prepare(self) -> None:
        """Give the accounts more time for an answer, and start workers that can be held."""
        await self._be_patient()
        role = self._hub.stack.running["worker"].role
        environment = {
            **role.environment,
            "PYTHONPATH": str(Path(__file__).parent / "inside"),
            "CRASH_PROOF_HELD": str(self._held),
            "HUB_WORKER_STALL_SECONDS": "600",
        }
        await self._hub.stack.stop("worker")
        await self._hub.stack.start(replace(role, environment=environment))
        command = tuple(SECOND if part == "hub" and role.command[n - 1] == "--name" else part for n, part in enumerate(role.command))
        second = replace(role, name=SECOND, command=command, environment=environment, ready=self._second_is_online)
        await self._hub.stack.start(second)
        self._signal(SECOND, signal.SIGSTOP)

    async def strike(self, strike: Strike) -> None:
        """Make it happen; what was killed is gone when this returns."""
        match strike:
            case Strike.WORKER:
                await self._killed("worker")
            case Strike.SERVER:
                await self._killed("prefect-server")
            case Strike.DATABASE:
                await self._killed("database")
            case Strike.FREEZE:
                self._signal("worker", signal.SIGSTOP)
                self._signal(SECOND, signal.SIGCONT)

    async def thaw(self) -> None:
        """The worker that stood still goes on where it was."""
        self._signal("worker", signal.SIGCONT)

    async def rest(self) -> None:
        """The second worker stands still again."""
        self._signal(SECOND, signal.SIGSTOP)

    def wake(self) -> None:
        """Nobody stands still any more, so that everybody can be stopped."""
        for role in ("worker", SECOND):
            self._signal(role, signal.SIGCONT)

    async def back(self) -> None:
        """Return when everything answers again."""

        async def answers() -> bool:
            roles = [one for name, one in self._hub.stack.running.items() if name in ("database", "prefect-server", "gateway")]
            return all([await one.role.ready(one.started_at) for one in roles])

        await until(answers, seconds=120, what=lambda: "the stack to be back")

    async def _killed(self, role: str) -> None:
        self._say(f"killed -9 and gone: {role} {await killed_with_children(self._hub, role)}")

    def _signal(self, role: str, number: signal.Signals) -> None:
        first = psutil.Process(self._hub.stack.pid(role))
        for process in (first, *first.children(recursive=True)):
            os.kill(process.pid, number)
        self._say(f"{number.name}: {role} {first.pid}")

    async def _second_is_online(self, started_at: float) -> bool:
        del started_at
        with contextlib.suppress(httpx.HTTPError):
            workers = (await self._hub.prefect.post("/work_pools/hub/workers/filter", json={"limit": 50})).raise_for_status().json()
            return any(one["name"] == SECOND and one["status"] == "ONLINE" for one in workers)
        return False

    async def _be_patient(self) -> None:
        for document in (await self._hub.prefect.post("/block_documents/filter", json={"limit": 50})).raise_for_status().json():
            if "timeout_seconds" in document["data"]:
                change = {"data": {"timeout_seconds": TIMEOUT_SECONDS}, "merge_existing_data": True}
                (await self._hub.prefect.patch(f"/block_documents/{document['id']}", json=change)).raise_for_status()
