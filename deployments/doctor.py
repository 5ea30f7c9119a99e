"""`hub doctor`: one line per check, with what to do where something is wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from rich.console import Console
from rich.markup import escape

from deployments import instance
from deployments.problems import Problem
from hub.per_loop import close_all
from hub.settings import settings

Check = Callable[[], Awaitable[str]]
CHECK_LIMIT_SECONDS = 30


async def doctor() -> int:
    """Check everything, and say what to do about what is wrong; exit code 1 if anything is."""
    instance.point_at_prefect(settings().home.expanduser().resolve())
    from deployments import checkups  # noqa: PLC0415 - imports Prefect

    console = Console(highlight=False, soft_wrap=True)
    try:
        outcomes = [await _asked(console, name, check) for name, check in checkups.CHECKS.items()]
    finally:
        await close_all()
    return 0 if all(outcomes) else 1


async def _asked(console: Console, name: str, check: Check) -> bool:
    try:
        finding = await asyncio.wait_for(check(), CHECK_LIMIT_SECONDS)
    except Problem as problem:
        return _problem(console, name, str(problem))
    except TimeoutError:
        return _problem(console, name, f"no answer within {CHECK_LIMIT_SECONDS} s.")
    except Exception as failure:  # noqa: BLE001 - one check that breaks must not keep the others from being made
        return _problem(console, name, f"the check itself failed ({type(failure).__name__}: {str(failure)[:200]})")
    console.print(f"[green]ok[/]      {name}: {escape(finding)}")
    return True


def _problem(console: Console, name: str, what: str) -> bool:
    console.print(f"[bold red]problem[/] {name}: {escape(what)}")
    return False
