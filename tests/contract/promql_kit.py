"""As much PromQL over what a gateway has shown as our alerts speak. Prometheus itself would also guess beyond the samples."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable
from operator import add, eq, gt, lt, mul, ne, truediv
from typing import Any

import promql_parser as promql

from tests.contract.metrics_kit import Labels, Scrape

Vector = dict[Labels, float]
COMPARES: dict[str, Callable[[float, float], bool]] = {">": gt, "<": lt, "==": eq, "!=": ne}
COMPUTES: dict[str, Callable[[float, float], float]] = {"+": add, "*": mul, "/": truediv}
ADDS_UP: dict[str, Callable[[list[float]], float]] = {"sum": sum, "max": max}


class History:
    """What was scraped when, in seconds."""

    def __init__(self) -> None:
        self.scrapes: list[tuple[float, Scrape]] = []

    def raises(self, expression: str) -> Vector:
        """What the expression finds in the newest scrape; an alert is raised for each."""
        found = self._value(promql.parse(expression))
        assert isinstance(found, dict)
        return found

    def _value(self, node: Any) -> Vector | float:
        match node:
            case promql.NumberLiteral():
                return float(node.val)
            case promql.ParenExpr():
                return self._value(node.expr)
            case promql.VectorSelector():
                return self._selected(node, self.scrapes[-1][1])
            case promql.AggregateExpr():
                return self._added_up(node)
            case promql.Call():
                return self._called(node)
            case promql.BinaryExpr():
                return _combined(str(node.op), self._value(node.lhs), self._value(node.rhs))
            case _:
                raise NotImplementedError(f"{node}")

    def _selected(self, node: promql.VectorSelector, scrape: Scrape) -> Vector:
        return {
            labels: value
            for (name, labels), value in scrape.values.items()
            if name == node.name and all(_fits(matcher, dict(labels)) for matcher in node.matchers.matchers)
        }

    def _added_up(self, node: promql.AggregateExpr) -> Vector:
        groups: dict[Labels, list[float]] = defaultdict(list)
        inner = self._value(node.expr)
        assert isinstance(inner, dict)
        assert node.modifier is not None
        for labels, value in inner.items():
            groups[frozenset((name, one) for name, one in labels if name in node.modifier.labels)].append(value)
        return {labels: ADDS_UP[str(node.op)](values) for labels, values in groups.items()}

    def _called(self, node: promql.Call) -> Vector:
        match node.func.name, node.args:
            case ("increase" | "rate") as name, [promql.MatrixSelector() as ranged]:
                seconds = ranged.range.total_seconds()
                newest_at, newest = self.scrapes[-1]
                oldest = next(scrape for at, scrape in self.scrapes if newest_at - at <= seconds)
                before = self._selected(ranged.vector_selector, oldest)
                now = self._selected(ranged.vector_selector, newest)
                share = seconds if name == "rate" else 1
                return {labels: (value - before.get(labels, value)) / share for labels, value in now.items()}
            case "histogram_quantile", [promql.NumberLiteral() as wanted, buckets]:
                spread = self._value(buckets)
                assert isinstance(spread, dict)
                return _quantiles(wanted.val, spread)
            case name, _:
                raise NotImplementedError(name)


def _fits(matcher: promql.Matcher, labels: dict[str, str]) -> bool:
    value = labels.get(matcher.name, "")
    match str(matcher.op):
        case "MatchOp.Equal":
            return value == matcher.value
        case "MatchOp.NotEqual":
            return value != matcher.value
        case "MatchOp.Re":
            return re.fullmatch(matcher.value, value) is not None
        case other:
            raise NotImplementedError(other)


def _combined(operator: str, left: Vector | float, right: Vector | float) -> Vector:
    assert isinstance(left, dict)
    others = dict.fromkeys(left, right) if isinstance(right, float) else right
    both = {labels: (value, others[labels]) for labels, value in left.items() if labels in others}
    if operator == "and":
        return {labels: value for labels, (value, _) in both.items()}
    if operator in COMPARES:
        return {labels: value for labels, (value, other) in both.items() if COMPARES[operator](value, other)}
    return {labels: COMPUTES[operator](value, other) for labels, (value, other) in both.items() if other}


def _quantiles(wanted: float, buckets: Vector) -> Vector:
    """The upper bound of the bucket that holds the quantile, which Prometheus would refine."""
    spreads: dict[Labels, list[tuple[float, float]]] = defaultdict(list)
    for labels, value in buckets.items():
        spreads[frozenset(pair for pair in labels if pair[0] != "le")].append((float(dict(labels)["le"]), value))
    return {
        labels: next(bound for bound, number in sorted(spread) if number >= wanted * max(spread)[1])
        for labels, spread in spreads.items()
        if max(spread)[1]
    }
