"""Dashboard and alert rules ask for nothing that there is not."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser as promql
import pytest
import yaml

from gateway.metrics import PREFIX
from hub.metrics import METRICS, Metric

FOLDER = Path(__file__).parents[2] / "deployments" / "observability"
RULES: list[dict[str, Any]] = [
    rule for group in yaml.safe_load((FOLDER / "hub_alerts.yml").read_text())["groups"] for rule in group["rules"]
]
DASHBOARD: dict[str, Any] = json.loads((FOLDER / "hub_dashboard.json").read_text())
PROMETHEUS_OWN = {"job", "instance"}


def series(metric: Metric) -> dict[str, set[str]]:
    """The names under which Prometheus keeps the metric, with their labels."""
    name, labels = PREFIX + metric.name, set(metric.labels)
    match metric.kind:
        case "counter":
            return {f"{name}_total": labels}
        case "gauge":
            return {name: labels}
        case "histogram":
            return {f"{name}_bucket": labels | {"le"}, f"{name}_sum": labels, f"{name}_count": labels}


SERIES = {name: labels for metric in METRICS for name, labels in series(metric).items()} | {"up": set[str]()}


def targets() -> Iterator[tuple[str, str, str]]:
    """Title, expression and legend of everything on the dashboard, as Grafana sends it."""
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", []):
            expression = target["expr"].replace("$__rate_interval", "5m").replace("$provider", ".*")
            yield panel["title"], expression, target["legendFormat"]


TARGETS = list(targets())
SHOWN = [*((expression, legend) for _, expression, legend in TARGETS), *((rule["expr"], rule["annotations"]["summary"]) for rule in RULES)]
EXPRESSIONS = [*((title, expression) for title, expression, _ in TARGETS), *((rule["alert"], rule["expr"]) for rule in RULES)]


def selectors(expression: str) -> list[promql.VectorSelector]:
    found: list[promql.VectorSelector] = []

    def visit(node: promql.Expr) -> None:
        if isinstance(node, promql.VectorSelector):
            found.append(node)
        if isinstance(node, promql.MatrixSelector):
            found.append(node.vector_selector)

    promql.walk(promql.parse(expression), visit)
    return found


def grouped(expression: str) -> set[str]:
    """The labels by which the expression adds up."""
    return {
        label.strip() for labels in re.findall(r"(?:by|ignoring|on) \(?([^)]*)\)", expression) for label in labels.strip("(").split(",")
    }


@pytest.mark.parametrize(("where", "expression"), EXPRESSIONS, ids=lambda value: value[:40])
def test_every_expression_asks_for_metrics_and_labels_that_there_are(where: str, expression: str) -> None:
    asked = selectors(expression)

    assert asked, where
    for selector in asked:
        assert selector.name in SERIES
        assert {matcher.name for matcher in selector.matchers.matchers} <= SERIES[selector.name] | PROMETHEUS_OWN
    assert grouped(expression) <= set.intersection(*(SERIES[selector.name or ""] for selector in asked))


@pytest.mark.parametrize(("expression", "shown"), SHOWN)
def test_what_a_legend_or_a_summary_names_is_a_label_that_is_left(expression: str, shown: str) -> None:
    left = grouped(expression) if " by (" in expression else set.union(*(SERIES[one.name or ""] for one in selectors(expression)))

    assert set(re.findall(r"{{(?: \$labels\.)?(\w+) ?}}", shown)) <= left


def test_the_dashboard_shows_every_metric() -> None:
    asked = {selector.name for _, expression, _ in TARGETS for selector in selectors(expression)}

    assert not [metric.name for metric in METRICS if not set(series(metric)) & asked]


def test_panels_have_identities_and_do_not_cover_each_other() -> None:
    panels = DASHBOARD["panels"]
    places = [
        (x, y)
        for panel in panels
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]

    assert len({panel["id"] for panel in panels}) == len(panels)
    assert len(set(places)) == len(places)
    assert max(x for x, _ in places) < 24


def test_each_alert_has_a_case_in_which_it_is_raised_and_one_in_which_it_is_not() -> None:
    cases = [case for test in yaml.safe_load((FOLDER / "hub_alerts_test.yml").read_text())["tests"] for case in test["alert_rule_test"]]
    names = [rule["alert"] for rule in RULES]

    assert sorted(case["alertname"] for case in cases if "exp_alerts" in case) == sorted(names)
    assert sorted(case["alertname"] for case in cases if "exp_alerts" not in case) == sorted(names)


@pytest.mark.skipif(shutil.which("promtool") is None, reason="Prometheus' own tool is not installed")
@pytest.mark.parametrize("arguments", [("check", "rules", "hub_alerts.yml"), ("test", "rules", "hub_alerts_test.yml")], ids=" ".join)
def test_prometheus_own_tool_finds_nothing_wrong(arguments: tuple[str, ...]) -> None:
    said = subprocess.run(["promtool", *arguments], cwd=FOLDER, capture_output=True, text=True, check=False)  # noqa: S603, S607 - ours

    assert said.returncode == 0, said.stdout + said.stderr
