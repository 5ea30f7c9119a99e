"""What a reconciliation has found: counted by provider, and said to people in a table and in one message."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from hub.money import Money
from hub.reconciliation.comparing import Difference
from hub.reconciliation.seen import Period
from hub.values import Frozen

SHOWN = 500
"""So many differences of one provider are listed; all are counted."""


class Compared(Frozen):
    """
    What came of one provider: how many objects were compared, and how the ledger and the provider differ, the first ``SHOWN`` one by one.

    ``drift``: by currency, how many minor units more the ledger says we have, as far as that is not repaired. ``note``: what else to know,
    e.g. why not all could be compared.
    """

    provider: str
    compared: int
    by_what: dict[str, int]
    repaired: int
    drift: dict[str, int]
    differences: tuple[Difference, ...]
    note: str = ""

    @property
    def found(self) -> int:
        """How many differences there are."""
        return sum(self.by_what.values())


@dataclass
class Findings:
    """What is found at one provider, while it is looked through."""

    provider: str
    compared: int = 0
    repaired: int = 0
    by_what: Counter[str] = field(default_factory=Counter)
    drift: Counter[str] = field(default_factory=Counter)
    differences: list[Difference] = field(default_factory=list)

    def add(self, difference: Difference) -> None:
        """Count a difference, and list it as long as there is room."""
        self.by_what[difference.what] += 1
        self.repaired += difference.repaired
        self.drift.update(difference.drift)
        if len(self.differences) < SHOWN:
            self.differences.append(difference)

    def result(self, note: str = "") -> Compared:
        """Return what was found."""
        return Compared(
            provider=self.provider,
            compared=self.compared,
            by_what=dict(self.by_what),
            repaired=self.repaired,
            drift={currency: amount for currency, amount in sorted(self.drift.items()) if amount},
            differences=tuple(self.differences),
            note=note,
        )


class Report(Frozen):
    """
    What a reconciliation has found.

    ``entries``, ``subjects`` and ``broken`` are those of the payment audit log, ``audit_heads`` the digest over the heads of its chains.
    """

    id: str
    period: Period
    providers: tuple[Compared, ...]
    entries: int
    subjects: int
    broken: int
    audit_heads: str

    @property
    def found(self) -> int:
        """How many differences there are."""
        return sum(one.found for one in self.providers)

    @property
    def repaired(self) -> int:
        """How many of them are over by now."""
        return sum(one.repaired for one in self.providers)

    @property
    def drift(self) -> dict[str, int]:
        """By currency, how many minor units more the ledger says we have than the providers."""
        drift = Counter[str]()
        for one in self.providers:
            drift.update(one.drift)
        return {currency: amount for currency, amount in sorted(drift.items()) if amount}

    def table(self) -> list[dict[str, Any]]:
        """Return a row for each provider, and below it one for each difference."""
        rows: list[dict[str, Any]] = []
        for one in self.providers:
            said = f"{one.compared} compared, {one.found} differences, {one.repaired} repaired"
            rows.append(_row(one.provider, said, there=f"drift {in_money(one.drift)}", repaired=one.note))
            rows += [_row_of(difference) for difference in one.differences]
        return rows

    def text(self) -> str:
        """Return what the team reads: counts, money, and what the audit log looks like from outside; nothing about a customer."""
        compared = sum(one.compared for one in self.providers)
        when = f"{self.period.since:%Y-%m-%d %H:%M} to {self.period.until:%Y-%m-%d %H:%M} UTC"
        counts = f"{compared} compared, {self.found} differences, {self.repaired} of them repaired"
        lines = [f"Reconciliation of {when}: {counts}; drift {in_money(self.drift)}"]
        lines += [f"• {one.provider}: {_counts(one)}" for one in self.providers if one.found or one.note]
        whole = "every chain is whole" if not self.broken else f"{self.broken} chains are broken, see `hub doctor`"
        lines.append(f"Payment audit log: {self.entries} entries about {self.subjects} subjects, {whole}; heads {self.audit_heads}")
        return "\n".join(lines)


def in_money(drift: dict[str, int]) -> str:
    """Return amounts by currency as people write them, e.g. ``-12.00 USD, 300 JPY``; ``none`` for none."""
    return ", ".join(str(Money(amount=amount, currency=currency)) for currency, amount in drift.items()) or "none"


def _counts(one: Compared) -> str:
    counts = [f"{number} {what}" for what, number in sorted(one.by_what.items())]
    return "; ".join(part for part in (", ".join(counts), f"{one.repaired} repaired" if one.repaired else "", one.note) if part)


def _row_of(one: Difference) -> dict[str, Any]:
    subject = "" if one.subject is None else " ".join(one.subject)
    repaired = "yes" if one.repaired else "no"
    return _row(one.provider, one.what, subject=subject, reference=one.reference, ledger=one.ledger, there=one.there, repaired=repaired)


def _row(provider: str, what: str, **more: str) -> dict[str, Any]:
    empty = {"subject": "", "reference": "", "ledger": "", "there": "", "repaired": ""}
    return {"provider": provider, "what": what, **empty, **more}
