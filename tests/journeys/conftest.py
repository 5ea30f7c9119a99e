"""One whole hub for all journeys of orders."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.journeys.hub_under_test import Hub, running_hub


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def hub() -> AsyncIterator[Hub]:
    """A real Prefect server, worker, gateway, sandbox and database, as `hub up` starts them, only with less patience."""
    async with running_hub(sweep_seconds=10, lease_seconds=5, time_scale=0.05) as hub:
        yield hub


@pytest.hookimpl(tryfirst=True)  # xdist reads the groups in a hook of the same name
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Journeys that share a hub run in one process; a test that has a stack of its own runs beside them."""
    for item in items:
        if "journeys" in item.path.parts:
            item.add_marker(pytest.mark.xdist_group("hub" if "hub" in getattr(item, "fixturenames", ()) else item.path.stem))
