"""`hub attention`: what a person has to look at."""

from __future__ import annotations

from cyclopts import App
from rich.console import Console
from rich.table import Table

from deployments.options import AsJson
from deployments.telling_stories import print_json
from hub.attention import attention_list

attention = App(name="attention", help="What a person has to look at: list.")


@attention.command(name="list")
async def list_them(*, limit: int = 100, as_json: AsJson = False) -> None:
    """
    List what needs attention, longest waiting first: why, and the command that follows once it is mended.

    Args:
        limit: How many.
        as_json: Print it as JSON.
    """
    found = await attention_list(limit)
    if as_json:
        print_json([one.model_dump(mode="json") for one in found])
        return
    table = Table("what", "since", "why", "once it is mended")
    for one in found:
        table.add_row(one.what, f"{one.since.astimezone():%Y-%m-%d %H:%M}", one.reason, one.then)
    Console().print(table if found else "nothing needs attention")
