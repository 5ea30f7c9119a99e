"""What can be measured is what the documentation says."""

from __future__ import annotations

import re
from pathlib import Path

from gateway.metrics import PREFIX
from hub.metrics import METRICS

DOCUMENT = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text()


def test_the_documentation_names_every_metric_with_its_labels() -> None:
    said = dict(re.findall(r"^\| `(\w+)` \| ([\w, ]*)\|", DOCUMENT, re.MULTILINE))

    shown = {PREFIX + metric.name + ("_total" if metric.kind == "counter" else ""): list(metric.labels) for metric in METRICS}
    assert {name: [label for label in labels.strip().split(", ") if label] for name, labels in said.items()} == shown


def test_names_and_units_follow_the_conventions() -> None:
    for metric in METRICS:
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*", metric.name)
        assert not metric.name.endswith(("_total", "_count", "_sum", "_bucket"))
        assert metric.help.endswith(".")
        if metric.kind == "histogram" or "age" in metric.name.split("_"):
            assert metric.name.endswith("_seconds")
