"""
One log line for each fact at the provider boundary: what was asked or told, what came of it, and how long it took.

A line holds our own words, ids, and the provider's request id; nothing of a customer, and nothing that the provider said.
"""

from __future__ import annotations

import logging
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TextIO

from pythonjsonlogger.json import JsonFormatter

from hub.errors import ProviderError, outcome_of
from hub.tracing import span

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hub.effects import Effect
    from hub.exchange import Exchange
    from hub.inbox_tables import NoticeRow

log = logging.getLogger("hub.provider")
log.setLevel(logging.INFO)
FIELDS = (
    "correlation_id",
    "effect_key",
    "subject",
    "notice",
    "provider",
    "action",
    "kind",
    "outcome",
    "milliseconds",
    "http_status",
    "request_id",
)
EXPECTED = ("done", "pending", "found", "absent", "refused", "handled", "not_for_us", "early")
"""Outcomes that the process goes on with; the others are warnings."""


def write_log() -> None:
    """Write the lines of this process to its standard error; those of a flow run are also in its logs in Prefect (``prefect.toml``)."""
    log.addHandler(lines_to(sys.stderr))
    log.propagate = False


def lines_to(stream: TextIO) -> logging.Handler:
    """Return what writes the lines: sentences when a person reads along at a terminal, else JSON."""
    handler = logging.StreamHandler(stream)
    if stream.isatty():
        handler.setFormatter(logging.Formatter("%(asctime)s | %(levelname)-7s | %(message)s", "%H:%M:%S"))
    else:
        names = {"asctime": "time", "levelname": "level"}
        handler.setFormatter(JsonFormatter([*names, *FIELDS], rename_fields=names, json_ensure_ascii=False))
    return handler


@dataclass
class Crossing:
    """What came of one call or look, once that is known."""

    outcome: str = "unknown"


@contextmanager
def crossing(effect: Effect, kind: Literal["call", "look"], exchange: Exchange) -> Iterator[Crossing]:
    """
    Trace and log the one request to the provider that the block makes.

    The block says what came of it in ``outcome``; an error says it by itself.
    """
    here, began = Crossing(), time.monotonic()
    names = {"effect_key": effect.key, "provider": effect.what.provider, "action": effect.what.action, "kind": kind}
    with span(f"{effect.what.provider} {effect.what.action}", effect.correlation_id, "client", names) as traced:
        try:
            yield here
        except BaseException as error:
            here.outcome = outcome_of(error) if isinstance(error, ProviderError) else "unknown" if exchange.sent else "not_sent"
            raise
        finally:
            came = {"outcome": here.outcome, "http_status": exchange.http_status, "request_id": exchange.request_id}
            traced.set_attributes({f"hub.{name}": value for name, value in came.items() if value is not None})
            _write({"correlation_id": effect.correlation_id, **names, **came}, time.monotonic() - began, effect.key)


def told(notice: NoticeRow, correlation_id: str | None, seconds: float) -> None:
    """Log what came of something that the provider told us, so many seconds after it came."""
    subject = None if notice.subject_id is None else f"{notice.subject_kind}:{notice.subject_id}"
    what: dict[str, str | int | None] = {"provider": notice.provider, "action": notice.kind, "kind": "notice", "outcome": notice.state}
    _write({"correlation_id": correlation_id, "subject": subject, "notice": notice.id} | what, seconds, subject or f"notice {notice.id}")


def _write(fact: dict[str, str | int | None], seconds: float, about: str) -> None:
    level, milliseconds = logging.INFO if fact["outcome"] in EXPECTED else logging.WARNING, round(seconds * 1000, 1)
    said = (fact["provider"], fact["action"], fact["outcome"], milliseconds, about)
    log.log(level, "%s: %s: %s after %s ms (%s)", *said, extra=fact | {"milliseconds": milliseconds})
