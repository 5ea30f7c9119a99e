"""
What a run's engine tells Prefect's server, in as few calls as it takes.

The stock engine tells the version and the policy of the flow, the name of the run and, through the worker, who holds it in a call each,
and reads the run again that the server has just answered about. A call costs the server 5 to 10 ms of CPU, and an order that long.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun, State
from prefect.client.schemas.responses import OrchestrationResult


class RunClient(PrefectClient):
    """
    The worker's client as the engine of one run has it, with the same connections.

    Changes of the run are sent together, before its next state is proposed.
    """

    def __init__(self, client: PrefectClient, **changes: Any) -> None:
        vars(self).update(vars(client))  # no other client: a view of the worker's
        self._changes = changes

    async def update_flow_run(self, flow_run_id: UUID, **changes: Any) -> None:  # type: ignore[override]  # nobody reads what it returns
        """Send ``changes`` with the next state."""
        del flow_run_id  # an engine has one run
        self._changes |= changes

    async def set_flow_run_name(self, flow_run_id: UUID, name: str) -> None:  # type: ignore[override]  # as above
        """Send the name with the next state."""
        await self.update_flow_run(flow_run_id, name=name)

    async def set_flow_run_state(self, flow_run_id: UUID | str, state: State[Any], force: bool = False) -> OrchestrationResult[Any]:
        """Propose ``state``, once the server knows of all changes."""
        if self._changes:
            await super().update_flow_run(UUID(str(flow_run_id)), **self._changes)
            self._changes = {}
        return await super().set_flow_run_state(flow_run_id, state, force=force)


class BegunRun(PrefectClient):
    """The worker's client for an engine that reads a run of which the server has just accepted the first ``Running``: it knows it."""

    def __init__(self, client: PrefectClient, run: FlowRun, state: State[Any]) -> None:
        vars(self).update(vars(client))
        self._run, self._state = run, state

    async def read_flow_run(self, flow_run_id: UUID) -> FlowRun:
        """Return the run as the server has it now, without asking; another run is asked for."""
        if flow_run_id != self._run.id:
            return await super().read_flow_run(flow_run_id)
        state = self._state
        return self._run.model_copy(update={"state_id": state.id, "run_count": 1, "start_time": state.timestamp})
