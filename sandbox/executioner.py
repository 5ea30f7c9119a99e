"""Kills a supervised process for a crash test: only roles that were named at the start, only by the pid in their file."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from pathlib import Path

_FIRST_ORDINARY_PID = 2


class Executioner:
    """Knows the pid files of the roles that may be killed."""

    def __init__(self, pid_files: Mapping[str, Path]) -> None:
        self._pid_files = dict(pid_files)

    def may_kill(self, role: str) -> bool:
        """Whether the role was named at the start."""
        return role in self._pid_files

    def kill(self, role: str) -> int | None:
        """Send SIGKILL to the role's process and return its pid; None when there is no such process now."""
        try:
            pid = int(self._pid_files[role].read_text(encoding="utf-8").strip())
            if pid < _FIRST_ORDINARY_PID or pid == os.getpid():
                return None
            os.kill(pid, signal.SIGKILL)
        except (KeyError, OSError, ValueError):
            return None
        return pid
