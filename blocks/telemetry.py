"""Traces leave the process: OpenTelemetry's SDK is started where its own environment variables say whither."""

from __future__ import annotations

import os

WHITHER = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")


class ExtraMissing(Exception):
    """Traces are asked for, and what sends them is not installed."""

    def __str__(self) -> str:
        return f"{' or '.join(WHITHER)} asks for traces: install the extra with `pip install 'integration-hub[otel]'`, or unset it"


def start_tracing(service: str) -> None:
    """
    Send the spans of this process to the collector that ``OTEL_EXPORTER_OTLP_ENDPOINT`` names (OTLP over HTTP); without it, nothing.

    ``OTEL_TRACES_SAMPLER`` and the like hold as OpenTelemetry defines them; ``service`` is the name unless ``OTEL_SERVICE_NAME`` is set.

    Raises:
        ExtraMissing: The extra ``otel`` is not installed.

    Source: https://opentelemetry.io/docs/languages/sdk-configuration/
    """
    if not any(os.environ.get(name) for name in WHITHER) or os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415 - an extra
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
    except ImportError as missing:
        raise ExtraMissing from missing
    from opentelemetry import trace  # noqa: PLC0415

    os.environ.setdefault("OTEL_SERVICE_NAME", service)
    tracing = TracerProvider(resource=Resource.create())
    tracing.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(tracing)
