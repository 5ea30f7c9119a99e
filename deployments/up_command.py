"""`hub up`: the local stack, until Ctrl-C."""

from __future__ import annotations

import asyncio
import signal
import sys
import time

from rich.console import Console
from rich.markup import escape
from rich.panel import Panel

from deployments import secret_files
from deployments.options import Flag
from deployments.stack import Stack, local_stack
from deployments.stack_settings import GivenSettings
from hub.private_files import SECRETS_FOLDER


async def up(*, mixed: Flag = False) -> int:
    """
    Start everything on this machine, and stay until Ctrl-C.

    Args:
        mixed: Allow live, test and rehearsal accounts side by side.
    """
    console = Console(highlight=False)
    interrupted = asyncio.Event()
    whole = asyncio.ensure_future(_up(console, interrupted, mixed=mixed))

    def interrupt() -> None:
        if not interrupted.is_set():
            interrupted.set()
            console.print("Stopping, one moment …")
            whole.cancel()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, interrupt)
    try:
        await whole
    except asyncio.CancelledError:
        console.print("Stopped; nothing of it runs any more.")
    return 0


async def _up(console: Console, interrupted: asyncio.Event, *, mixed: bool) -> None:
    begin = time.monotonic()
    console.print("Starting the hub on this machine …")

    def say(line: str) -> None:
        console.print(line, markup=False, soft_wrap=True)

    async with local_stack(GivenSettings().home, mixed=mixed, say=say) as stack:
        console.print(Panel(_summary(stack, time.monotonic() - begin), title="The hub is up", expand=False))
        await interrupted.wait()


def _summary(stack: Stack, seconds: float) -> str:
    lines = [
        f"[bold]Prefect UI[/]   {stack.prefect_url}",
        f"[bold]Gateway[/]      {stack.gateway_url}",
        f"[bold]Pages[/]        {stack.gateway_url}/ui/  (sign in with a key that `hub keys add NAME` makes)",
        f"[bold]Sandbox[/]      {stack.sandbox_url or 'not needed, every account is official'}",
        f"[bold]Logs[/]         {escape(str(stack.home / 'logs'))}",
        f"[bold]Accounts[/]     {', '.join(f'{provider} {mode}' for provider, mode in stack.modes.items())}",
    ]
    if stack.layout.auth is not None:
        secret = stack.home / SECRETS_FOLDER / secret_files.AUTH_STRING
        lines.append(f"[bold]Sign in[/]      Prefect's UI asks for the text in {escape(str(secret))}")
    lines += ["", f"Up after {seconds:.0f} s. Try [bold]hub order place o-1[/] in another terminal; Ctrl-C stops everything."]
    return "\n".join(lines)


if sys.platform == "win32":
    raise SystemExit("`hub up` runs on Linux and macOS; on Windows use WSL.")
