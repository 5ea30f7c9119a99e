"""Who holds a flow run: one process, named so that a recycled pid, another container or another machine is never mistaken for it."""

from __future__ import annotations

import os
import re
import socket
from dataclasses import dataclass

import psutil  # type: ignore[import-untyped]  # it ships no types

_WRITTEN = re.compile(r"hub-warm:(?P<place>[^\s:]+):(?P<pid>\d+):(?P<born>\d+)")


@dataclass(frozen=True)
class Holder:
    """
    One process of a warm worker.

    ``place`` is its machine and, in containers, the process namespace that ``pid`` counts in; ``born`` is when it started, in
    milliseconds since the epoch.
    """

    place: str
    pid: int
    born: int

    @classmethod
    def here(cls) -> Holder:
        """This process."""
        return cls(_place(), os.getpid(), _born(psutil.Process()))

    @classmethod
    def written_in(cls, *texts: str | None) -> Holder | None:
        """The holder that the first of ``texts`` with one names: the message of a run's state, or its infrastructure pid."""
        for text in texts:
            if found := _WRITTEN.search(text or ""):
                return cls(found["place"], int(found["pid"]), int(found["born"]))
        return None

    def __str__(self) -> str:
        """As it is written down at Prefect's server."""
        return f"hub-warm:{self.place}:{self.pid}:{self.born}"

    def is_gone(self) -> bool:
        """True when this process surely does not run any more; nothing is sure about another machine or container."""
        if self.place != _place():
            return False
        try:
            process = psutil.Process(self.pid)
            return _born(process) != self.born or process.status() == psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return True


def _place() -> str:
    try:
        namespace = os.stat("/proc/self/ns/pid").st_ino  # noqa: PTH116 - a magic link of the kernel, no file
    except OSError:  # not Linux
        namespace = 0
    return re.sub(r"[\s:]", "-", f"{socket.gethostname()}/{namespace}")


def _born(process: psutil.Process) -> int:
    return int(process.create_time() * 1000)
