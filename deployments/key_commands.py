"""`hub keys`: who may use the gateway."""

from __future__ import annotations

import sys

from cyclopts import App
from rich.console import Console
from rich.table import Table

from deployments.problems import Problem
from hub.api_keys import SCOPES, add_key, list_keys, revoke_key

keys = App(name="keys", help="Keys of the gateway: add, list, revoke.")


@keys.command
async def add(name: str, *, scope: tuple[str, ...] = SCOPES) -> None:
    """
    Make a key and print it, this once.

    Args:
        name: Who will use it.
        scope: What it opens; give the option several times for several scopes.
    """
    sys.stdout.write(await add_key(name, scope) + "\n")
    sys.stderr.write("This is the only time the key is shown.\n")


@keys.command(name="list")
async def list_them() -> None:
    """List the keys, without their secrets."""
    table = Table("name", "opens", "made", "revoked")
    for key in await list_keys():
        revoked = f"{key.revoked_at:%Y-%m-%d %H:%M}" if key.revoked_at else ""
        table.add_row(key.name, ", ".join(key.scopes), f"{key.created_at:%Y-%m-%d %H:%M}", revoked)
    Console().print(table)


@keys.command
async def revoke(name: str) -> None:
    """
    Make a key open nothing from now on.

    Args:
        name: The key's name.
    """
    if not await revoke_key(name):
        raise Problem(f"there is no living key called {name}; see `hub keys list`")
    sys.stdout.write(f"{name}: revoked\n")
