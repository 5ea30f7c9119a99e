"""Several warm workers that share a pool, one per core: started, started again when they die, stopped together."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from types import FrameType

from deployments.supervisor import RestartPolicy

LOOK_SECONDS = 0.2


def keep_several(pool: str, name: str, processes: int) -> int:
    """Keep ``processes`` workers of ``pool`` alive until SIGTERM or SIGINT; returns when all have stopped, each in its own time."""
    workers = [_Worker(pool, f"{name}-{number}") for number in range(1, processes + 1)]
    stopping = False

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal stopping
        del frame
        stopping = True
        for worker in workers:
            worker.send(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    while not stopping:
        for worker in workers:
            worker.look_after()
        time.sleep(LOOK_SECONDS)
    for worker in workers:
        worker.wait()
    return 0


@dataclass
class _Worker:
    """One worker process. It does not outlive this one: it is on a leash."""

    pool: str
    name: str
    restart: RestartPolicy = field(default_factory=RestartPolicy)
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0
    start_at: float = 0
    crashes: int = 0

    def look_after(self) -> None:
        """Start the process when it is time to."""
        if self.process is not None and self.process.poll() is not None:
            steady = time.monotonic() - self.started_at > self.restart.steady_seconds
            self.crashes = 1 if steady else self.crashes + 1
            wait_seconds = self.restart.wait_seconds(self.crashes)
            sys.stderr.write(
                f"{self.name} (pid {self.process.pid}) ended with code {self.process.returncode}; again in {wait_seconds:g} s\n"
            )
            self.process, self.start_at = None, time.monotonic() + wait_seconds
        if self.process is None and time.monotonic() >= self.start_at:
            leash = (sys.executable, "-m", "deployments.leash", f"--parent={os.getpid()}", "--")
            command = (sys.executable, "-m", "deployments.warm", "--pool", self.pool, "--name", self.name)
            self.process, self.started_at = subprocess.Popen([*leash, *command]), time.monotonic()  # noqa: S603 - our own module

    def send(self, number: int) -> None:
        """Pass a signal on."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)

    def wait(self) -> None:
        """Return when the process has ended; it bounds that itself."""
        if self.process is not None:
            self.process.wait()
