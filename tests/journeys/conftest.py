"""A whole hub for the journeys; each process of the tests that runs journeys has one, until it is done with them."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.journeys.hub_under_test import APPROVER, SECOND_APPROVER, SWEEP_SECONDS, Hub, running_hub


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def hub() -> AsyncIterator[Hub]:
    """A real Prefect server, worker, gateway, sandbox and database, as `hub up` starts them, only with less patience."""
    wishes = {"lease_seconds": 5, "time_scale": 0.05, "approvers": (APPROVER, SECOND_APPROVER), "pick_tickets": True}
    async with running_hub(sweep_seconds=SWEEP_SECONDS, **wishes) as hub:
        yield hub
