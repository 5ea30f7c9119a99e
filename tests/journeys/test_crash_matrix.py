"""A sample of `make crash-matrix`: orders, sign-ups and releases are struck at moments of their processes, and all is done once."""

from __future__ import annotations

import pytest

from tests.proofs.crashes.matrix import sample
from tests.proofs.crashes.strikes import Strike

pytestmark = pytest.mark.timeout(600)
SEED = 20261122


async def test_whatever_is_killed_or_stands_still_at_any_moment_everything_is_done_once() -> None:
    matrix = await sample((Strike.WORKER, Strike.FREEZE), 20, SEED, print)

    assert matrix.troubles == []
    assert len(matrix.met) >= 20, "so many came to their moment while the machine was busy with other tests"
