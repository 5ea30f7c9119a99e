"""A subject, how far it is and what has happened to it, printed for people or as JSON."""

from __future__ import annotations

import json
import sys
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.table import Table


def print_json(told: Any) -> None:
    """Print what the gateway answered."""
    sys.stdout.write(json.dumps(told, indent=2) + "\n")


def print_view(view: dict[str, Any]) -> None:
    """Print a line for everything that is known of the subject."""
    table = Table(show_header=False, box=None)
    for name, value in view.items():
        if value not in (None, []):
            table.add_row(f"[bold]{name}[/]", json.dumps(value) if isinstance(value, dict | list) else str(value))
    Console().print(table)


def tell(subject_id: str, status: str, message: str, story: list[dict[str, Any]]) -> None:
    """Print where the subject is now, and everything that has happened to it, oldest first."""
    console = Console(soft_wrap=True, highlight=False)
    console.print(f"[bold]{subject_id}[/] is [bold]{status}[/]: {message}")
    for event in story:
        moment = datetime.fromisoformat(event["at"]).astimezone()
        console.print(
            f"{moment:%H:%M:%S}.{moment.microsecond // 1000:03d}  {event['about']:<6}  [bold]{event['what']}[/]  {event['detail']}"
        )
