"""What Prometheus asks for: everything that can be measured, computed from the rows for each scrape."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Header, Response
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from gateway.access import MAY_READ_METRICS
from hub.metrics import METRICS, Measured, Metric, measure

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client.core import Metric as Family

router = APIRouter(tags=["metrics"])
PREFIX = "hub_"
_FAMILIES: dict[str, type[CounterMetricFamily | GaugeMetricFamily]] = {"counter": CounterMetricFamily, "gauge": GaugeMetricFamily}


class LedgerCollector(Collector):
    """What was measured at one moment, as Prometheus's own library wants it."""

    def __init__(self, measured: Measured) -> None:
        self._measured = measured

    def collect(self) -> Iterator[Family]:
        """Return every metric, also those that have no values yet."""
        for metric in METRICS:
            yield self._histogram(metric) if metric.kind == "histogram" else self._numbers(metric)

    def _numbers(self, metric: Metric) -> Family:
        family = _FAMILIES[metric.kind](PREFIX + metric.name, metric.help, labels=metric.labels)
        for labels, value in self._measured.numbers[metric].items():
            family.add_metric(labels, value)
        return family

    def _histogram(self, metric: Metric) -> Family:
        family = HistogramMetricFamily(PREFIX + metric.name, metric.help, labels=metric.labels)
        for labels, spread in self._measured.spreads[metric].items():
            buckets = [("+Inf" if bound == float("inf") else str(bound), number) for bound, number in spread.cumulative()]
            family.add_metric(labels, buckets, spread.seconds)
        return family


@router.get("/metrics", dependencies=[MAY_READ_METRICS])
async def get_metrics(accept: Annotated[str, Header()] = "") -> Response:
    """Return all metrics in Prometheus' text format, or as OpenMetrics where that is asked for; nothing of it is kept in this process."""
    registry = CollectorRegistry()
    registry.register(LedgerCollector(await measure()))
    encode, content_type = choose_encoder(accept)
    return Response(encode(registry), media_type=content_type)
