"""A subject's story, printed for people."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from rich.console import Console


def tell(subject_id: str, status: str, message: str, story: list[dict[str, Any]]) -> None:
    """Print where the subject is now, and everything that has happened to it, oldest first."""
    console = Console(soft_wrap=True, highlight=False)
    console.print(f"[bold]{subject_id}[/] is [bold]{status}[/]: {message}")
    for event in story:
        moment = datetime.fromisoformat(event["at"]).astimezone()
        console.print(
            f"{moment:%H:%M:%S}.{moment.microsecond // 1000:03d}  {event['about']:<6}  [bold]{event['what']}[/]  {event['detail']}"
        )
