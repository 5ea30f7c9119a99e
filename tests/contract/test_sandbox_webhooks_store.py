"""What the sandbox does once something is committed is never done for what was not."""

from __future__ import annotations

from pathlib import Path

import pytest

from sandbox.store import Store


def test_what_waits_for_a_commit_is_forgotten_when_there_is_none(tmp_path: Path) -> None:
    store, told = Store(tmp_path / "memory"), list[str]()

    def fails() -> None:
        with store.transaction():
            store.once_committed(lambda: told.append("rolled back"))
            raise LookupError

    with pytest.raises(LookupError):
        fails()
    with store.transaction():
        with store.transaction():
            store.once_committed(lambda: told.append("inner"))
        assert told == []
    store.once_committed(lambda: told.append("at once"))
    store.close()

    assert told == ["inner", "at once"]
