"""What the sandbox owes: nothing for what was rolled back, and everything else, also when it is more than fits or the sandbox stops."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from sandbox import callbacks
from sandbox.callback_delivery import Callback
from sandbox.callbacks import Callbacks, Calling
from sandbox.store import Store
from tests.contract.sandbox_process import Webhooks, running_sandbox
from tests.contract.webhook_kit import SECRETS
from tests.contract.webhook_receiver import running_receiver


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


async def test_more_than_fits_into_memory_waits_in_the_file_and_comes_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(callbacks, "_MOST_IN_MEMORY", 4)
    store, secrets_file = Store(tmp_path / "memory"), tmp_path / "secrets"
    secrets_file.write_text(json.dumps(SECRETS))
    async with running_receiver() as receiver:
        calling = Callbacks(store, Calling(receiver.url, secrets_file, wait_seconds=(0, 0)))
        async with calling.running():
            for number in range(30):
                calling.post(Callback("custom", "packed", f"msg_{number}", {"number": number}))
            assert calling.waiting == 4
            await receiver.until(lambda came: len(came) >= 30)
            await receiver.until(lambda _: calling.waiting == 0)
            calling.post(Callback("custom", "packed", "msg_30", {"number": 30}))
            await receiver.until(lambda came: len(came) >= 31)
            await receiver.until(lambda _: calling.waiting == 0)

        assert sorted(json.loads(one.body)["number"] for one in receiver.received) == list(range(31))
        assert store.connection.execute("SELECT count(*) FROM callbacks").fetchone()[0] == 0
    store.close()


async def test_a_receiver_that_hangs_does_not_hold_up_the_end_and_is_told_again_afterwards(tmp_path: Path) -> None:
    async with running_receiver() as receiver:
        receiver.seconds = 3
        async with running_sandbox(tmp_path, webhooks=Webhooks(receiver.url, SECRETS)) as sandbox:
            await sandbox.world("events/custom", type="packed", data={})
            await receiver.until_count(1, "custom")
            began = time.monotonic()
        assert time.monotonic() - began < 2.5
        receiver.seconds = 0
        async with running_sandbox(tmp_path, webhooks=Webhooks(receiver.url, SECRETS)):
            first, second = await receiver.until_count(2, "custom")
        assert first.headers["webhook-id"] == second.headers["webhook-id"]


async def test_changed_secrets_are_taken_at_once(tmp_path: Path) -> None:
    async with running_receiver() as receiver, running_sandbox(tmp_path, webhooks=Webhooks(receiver.url, {})) as sandbox:
        (tmp_path / "webhook_secrets.json").write_text(json.dumps(SECRETS))
        await sandbox.world("events/custom", type="packed", data={})
        await receiver.until_count(1, "custom")
