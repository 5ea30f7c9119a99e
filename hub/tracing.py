"""
One trace for each order, sign-up and release: its correlation id is the trace's id, so every process finds it without asking.

Only OpenTelemetry's API is used here. As long as nobody starts its SDK (``blocks.telemetry``) every span is an empty one.
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Literal

from opentelemetry import trace
from opentelemetry.trace import Link, NonRecordingSpan, Span, SpanContext, SpanKind, StatusCode, TraceFlags

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_KINDS = {"client": SpanKind.CLIENT, "consumer": SpanKind.CONSUMER, "internal": SpanKind.INTERNAL, "server": SpanKind.SERVER}
_tracer = trace.get_tracer("integration-hub")
_ours: ContextVar[Span | None] = ContextVar("span", default=None)


@contextmanager
def span(
    name: str, correlation_id: str, kind: Literal["client", "consumer", "internal", "server"], attributes: Mapping[str, str]
) -> Iterator[Span]:
    """
    Trace the block as a part of the subject's trace, below the part of it that is under way here, if any.

    Prefect traces runs on its own; the span that is its current one is linked. ``attributes`` get the prefix ``hub.``.
    """
    above, others = _ours.get(), trace.get_current_span().get_span_context()
    if above is None or above.get_span_context().trace_id != int(correlation_id, 16):
        above = NonRecordingSpan(_beginning(correlation_id))
    with _tracer.start_as_current_span(
        name,
        trace.set_span_in_context(above),
        _KINDS[kind],
        {"hub.correlation_id": correlation_id} | {f"hub.{key}": value for key, value in attributes.items()},
        links=[Link(others)] if others.is_valid and others.trace_id != int(correlation_id, 16) else None,
        record_exception=False,  # its message may hold what belongs to a customer
        set_status_on_exception=False,
    ) as ours:
        token = _ours.set(ours)
        try:
            yield ours
        except BaseException as error:
            ours.set_status(StatusCode.ERROR, type(error).__name__)
            raise
        finally:
            _ours.reset(token)


def _beginning(correlation_id: str) -> SpanContext:
    """Return the trace's own beginning, which everybody makes from the correlation id and nobody reports."""
    trace_id, span_id = int(correlation_id, 16), int(correlation_id[16:], 16)
    return SpanContext(trace_id, span_id, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED))
