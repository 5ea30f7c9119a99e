"""The storm in small: what `make storm` shows, with fewer orders and deliveries, and a kill -9 of the gateway and of the worker in it."""

from __future__ import annotations

import pytest

from tests.proofs.storm import Plan, storm

pytestmark = pytest.mark.timeout(400)


async def test_a_storm_of_webhooks_ends_as_the_same_webhooks_do_that_come_once_and_in_order() -> None:
    outcome = await storm(Plan(orders=12, most=10, kills=("gateway", "worker"), sweep_seconds=5))

    assert outcome.troubles == []
    assert [kill.role for kill in outcome.kills] == ["gateway", "worker"]
    assert outcome.delivered > 3 * outcome.distinct
