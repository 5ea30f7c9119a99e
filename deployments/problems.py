"""What stops a command of ours, said to the person at the terminal."""

from __future__ import annotations


class Problem(Exception):
    """A command cannot go on; the text is one sentence that says what is wrong and what to do. Printed without a traceback, exit code 1."""


class NeedsAuth(Exception):
    """An account that is not for rehearsal is saved at a Prefect server without an auth string; the stack starts again with one."""
