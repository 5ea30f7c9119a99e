"""
Becomes a command that does not outlive the process that started it: ``python -m deployments.leash [options] -- command …``.

A launcher of its own, because what must happen between fork and exec is not safe in a process that has threads. It imports next to
nothing, so it costs some 30 ms.

Source: https://man7.org/linux/man-pages/man2/PR_SET_PDEATHSIG.2const.html
"""

from __future__ import annotations

import argparse
import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def leash(parent: int, signal_name: str) -> None:
    """Have the kernel send ``signal_name`` to this process when ``parent`` dies, however it dies; Linux only, elsewhere nothing happens."""
    if not sys.platform.startswith("linux"):
        return
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.Signals[signal_name].value) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")
    if os.getppid() != parent:  # it died before the kernel knew
        sys.exit(1)


def main() -> None:
    """Drop to the asked user, take the leash, become the command."""
    parser = argparse.ArgumentParser(prog="python -m deployments.leash")
    parser.add_argument("--parent", type=int, required=True, help="process id whose death ends the command")
    parser.add_argument("--signal", default="SIGKILL", help="what the command gets then")
    parser.add_argument("--uid", type=int, help="user to run as")
    parser.add_argument("--gid", type=int, help="group to run as")
    parser.add_argument("command", nargs="+")
    wanted = parser.parse_args()
    if wanted.uid is not None:
        os.setgroups([])
        os.setgid(wanted.gid)
        os.setuid(wanted.uid)
    leash(wanted.parent, wanted.signal)  # after the change of user, which would clear it
    os.execvp(wanted.command[0], wanted.command)  # noqa: S606 - the supervisor's own command; becoming it is what this module is for


if __name__ == "__main__":
    main()
