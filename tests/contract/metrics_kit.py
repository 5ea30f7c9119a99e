"""What the tests of metrics share: a scrape of a real gateway, read by Prometheus's own parser."""

from __future__ import annotations

from collections import Counter

import httpx
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import text

from hub.database import transaction

Labels = frozenset[tuple[str, str]]


class Scrape:
    """The samples of one moment: value by name and labels."""

    def __init__(self, exposed: str) -> None:
        self.families = {family.name: family for family in text_string_to_metric_families(exposed)}
        self.values: dict[tuple[str, Labels], float] = {
            (sample.name, frozenset(sample.labels.items())): sample.value for family in self.families.values() for sample in family.samples
        }

    def __getitem__(self, name: str) -> Counter[tuple[str, ...]]:
        """The non-zero values of a metric by its label values, in the order of the label names."""
        found = {tuple(value for _, value in sorted(labels)): number for (one, labels), number in self.values.items() if one == name}
        return Counter({labels: number for labels, number in found.items() if number})

    def value(self, name: str, **labels: str) -> float:
        """One value; nought when there is none."""
        return self.values.get((name, frozenset(labels.items())), 0.0)

    def sum(self, name: str, **labels: str) -> float:
        """The sum of all values that have these labels."""
        return sum(number for (one, its), number in self.values.items() if one == name and labels.items() <= set(its))


async def scrape(gateway: httpx.AsyncClient) -> Scrape:
    answer = await gateway.get("/metrics")
    assert answer.status_code == 200, answer.text
    return Scrape(answer.text)


async def counted(statement: str) -> Counter[tuple[str, ...]]:
    """What a query says that ends its columns with a number."""
    async with transaction() as session:
        rows = await (await session.connection()).execute(text(statement))
        return Counter({tuple(row[:-1]): row[-1] for row in rows})
