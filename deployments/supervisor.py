"""Keeps the roles of a stack alive: starts each in a session of its own, waits until it is ready, starts it again when it dies."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from deployments.problems import Problem

Say = Callable[[str], None]
LOG_LIMIT_BYTES = 10 * 1024 * 1024


@dataclass(frozen=True)
class RestartPolicy:
    """How soon a dead role comes back: ``first_seconds``, doubled up to ``cap_seconds``, from the start after ``steady_seconds`` alive."""

    first_seconds: float = 0.5
    cap_seconds: float = 15
    steady_seconds: float = 30

    def wait_seconds(self, crashes: int) -> float:
        """How long to wait after the ``crashes``-th crash in a row."""
        return min(self.first_seconds * 2.0 ** (crashes - 1), self.cap_seconds)


@dataclass(frozen=True)
class Role:
    """
    One process of the stack, as data.

    ``ready`` is asked again and again with the moment of the start (seconds since the epoch) until it says yes, for at most
    ``ready_seconds``. ``stop_signal`` ends it, SIGKILL follows after ``stop_seconds``. ``orphan_signal`` is what it gets when the
    supervisor itself is killed. ``user`` is (uid, gid) to run as, or None for ours.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    directory: Path
    ready: Callable[[float], Awaitable[bool]]
    ready_seconds: float = 90
    stop_signal: signal.Signals = signal.SIGTERM
    stop_seconds: float = 8
    orphan_signal: signal.Signals = signal.SIGKILL
    user: tuple[int, int] | None = None
    restart: RestartPolicy = field(default_factory=RestartPolicy)


class Supervised:
    """One role under supervision, from ``start`` to ``stop``."""

    def __init__(self, role: Role, home: Path, say: Say) -> None:
        self.role, self.say = role, say
        self.log = home / "logs" / f"{role.name}.log"
        self.pid_file = home / "run" / f"{role.name}.pid"
        self.started_at = 0.0
        self._process: asyncio.subprocess.Process | None = None
        self._keeper: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int:
        """
        The process id of the role as it runs now.

        Raises:
            Problem: It does not run at this moment.
        """
        if self._process is None or self._process.returncode is not None:
            raise Problem(f"The {self.role.name} is not running at this moment; its log is {self.log}.")
        return self._process.pid

    async def start(self) -> None:
        """
        Start the role, return when it is ready, and keep it alive from then on.

        Raises:
            Problem: It ended, or was not ready in time; the last line of its log is in the text.
        """
        process = await self._spawn()
        if not await self._becomes_ready(process):
            how = f"ended with code {process.returncode}" if process.returncode is not None else "was not ready in time"
            raise Problem(f"The {self.role.name} did not start, it {how}: {self._last_words()} (more in {self.log})")
        self._keeper = asyncio.create_task(self._keep(), name=f"keep {self.role.name}")

    async def stop(self) -> None:
        """The role does not run any more, and will not be started again."""
        if self._keeper is not None:
            self._keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._keeper
            self._keeper = None
        process, self._process = self._process, None
        if process is not None and process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(self.role.stop_signal)
            try:
                await asyncio.wait_for(process.wait(), self.role.stop_seconds)
            except TimeoutError:
                _kill_group(process.pid)
                await process.wait()
        if process is not None:
            _kill_group(process.pid)  # what it left in its session
        self.pid_file.unlink(missing_ok=True)

    async def _spawn(self) -> asyncio.subprocess.Process:
        role = self.role
        leash = [sys.executable, "-m", "deployments.leash", f"--parent={os.getpid()}", f"--signal={role.orphan_signal.name}"]
        if role.user is not None:
            leash += [f"--uid={role.user[0]}", f"--gid={role.user[1]}"]
        self.started_at = time.time()
        with self.log.open("ab") as log:
            log.write(f"--- {time.strftime('%Y-%m-%d %H:%M:%S')} start of {role.name}\n".encode())
            log.flush()
            self._process = await asyncio.create_subprocess_exec(
                *leash,
                "--",
                *role.command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=dict(role.environment),
                cwd=role.directory,
                start_new_session=True,
            )
        self.pid_file.write_text(f"{self._process.pid}\n")
        return self._process

    async def _becomes_ready(self, process: asyncio.subprocess.Process) -> bool:
        deadline = time.monotonic() + self.role.ready_seconds
        while process.returncode is None and time.monotonic() < deadline:
            if await self.role.ready(self.started_at):
                return process.returncode is None
            await asyncio.sleep(0.1)
        return False

    async def _keep(self) -> None:
        crashes = 0
        while process := self._process:
            code = await process.wait()
            _kill_group(process.pid)
            crashes = 1 if time.time() - self.started_at > self.role.restart.steady_seconds else crashes + 1
            wait_seconds = self.role.restart.wait_seconds(crashes)
            ending = f"killed by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
            self.say(f"! {self.role.name} (pid {process.pid}) {ending}; starting it again in {wait_seconds:g} s, its log is {self.log}")
            await asyncio.sleep(wait_seconds)
            fresh = await self._spawn()
            if await self._becomes_ready(fresh):
                self.say(f"  {self.role.name} is back (pid {fresh.pid}, {time.time() - self.started_at:.1f} s)")
            elif fresh.returncode is None:
                self.say(f"! {self.role.name} (pid {fresh.pid}) runs but is not ready after {self.role.ready_seconds:g} s")
                _kill_group(fresh.pid)

    def _last_words(self) -> str:
        lines = [line for line in self.log.read_text(errors="replace").splitlines() if line.strip()]
        return lines[-1].strip()[:300] if lines else "it said nothing"


def make_room(log: Path) -> None:
    """Put a log that has grown over 10 MB aside, in place of the one put aside before."""
    if log.exists() and log.stat().st_size > LOG_LIMIT_BYTES:
        log.replace(log.with_suffix(".log.old"))


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
