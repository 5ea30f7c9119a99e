"""What came of an order, with every id normalised, so that two orders of the same nature can be compared; and what of it differs."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import asyncpg

from tests.journeys.hub_under_test import Hub

COLUMNS = ("status", "payment", "parcel", "stock", "hold", "dispute", "refunded", "refunded_in_all", "attempt", "amount", "message")
PRESENT = ("payment_id", "charge_id", "tracking_number", "attention", "next_action", "resume_at")
NOTHING = (None, "null")
"""How a column says that there is nothing; a JSON column has two ways."""
FACTS = "SELECT subject_id, kind, identity FROM facts WHERE subject_id = ANY($1) AND kind <> 'told by hand'"
"""All but what the person on call said after a kill: it leads to what would have happened without both."""
EFFECTS = "SELECT * FROM effects WHERE subject_id = ANY($1) AND step NOT LIKE 'show.%'"
"""All but the changes of the team's message: of news that comes together it shows the last."""
IDS = re.compile(r"(?:storm|calm)-\d{4}|(?:pi|ch|re|du|py|req)_\w+|\b[0-9a-f]{32}\b|\b9\d{15,}\b")


@dataclass
class Account:
    """What the hub's rows, and the sandbox, say of one order: a value for each name."""

    lines: Counter[str] = field(default_factory=Counter)

    def differences(self, other: Account) -> list[str]:
        """What stands here and not there (-), and there and not here (+), with how often."""
        less, more = self.lines - other.lines, other.lines - self.lines
        return [f"- {n} of {line}" for line, n in sorted(less.items())] + [f"+ {n} of {line}" for line, n in sorted(more.items())]


async def accounts_of(hub: Hub, database: asyncpg.Connection, order_ids: list[str]) -> dict[str, Account]:
    """Return the account of each of the orders."""
    found = {order_id: Account() for order_id in order_ids}

    def note(order_id: str, line: str) -> None:
        found[order_id].lines[normalised(line)] += 1

    for row in await database.fetch("SELECT * FROM orders WHERE id = ANY($1)", order_ids):
        for name in COLUMNS:
            note(row["id"], f"order {name}: {row[name]}")
        for name in PRESENT:
            note(row["id"], f"order {name}: {'none' if row[name] in NOTHING else 'there'}")
    for row in await database.fetch(FACTS, order_ids):
        told_apart = "" if row["kind"] == "needs attention" else row["identity"]  # by its epoch, which counts news
        note(row["subject_id"], f"fact {row['kind']} {told_apart}")
    for row in await database.fetch(EFFECTS, order_ids):
        step = row["step"] if not row["step"].startswith("attention.") else "attention"  # by the number of its fact
        note(row["subject_id"], f"effect {step} {row['attempt']}: {row['state']}, {row['code']}, delivery {row['delivery']}")
    for row in await database.fetch("SELECT provider, kind, state, subject_id FROM notices WHERE subject_id = ANY($1)", order_ids):
        note(row["subject_id"], f"notice {row['provider']} {row['kind']}: {row['state']}")
    for effect in await hub.sandbox.effects():
        if effect["subject"] in found and effect["kind"] != "message_updated":
            note(effect["subject"], f"done by {effect['provider']}: {effect['kind']} {_money(effect)}")
    return found


def normalised(text: str) -> str:
    """Return ``text`` with a word in place of every id."""
    return IDS.sub("<id>", text)


def _money(effect: dict[str, Any]) -> str:
    return f"{effect['amount']} {effect['currency']}" if "amount" in effect else ""


async def notices_by_state(database: asyncpg.Connection, since: int) -> Counter[str]:
    """How many notices with a row id above ``since`` are in which state."""
    rows = await database.fetch("SELECT provider, state, count(*) AS n FROM notices WHERE id > $1 GROUP BY 1, 2", since)
    return Counter({f"{row['provider']} {row['state']}": row["n"] for row in rows})
