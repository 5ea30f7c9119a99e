"""Nothing that is secret or about a customer leaks: after orders with trouble, everything that was written down is searched."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from tests.journeys.hub_under_test import Hub, an_order

pytestmark = pytest.mark.timeout(240)

CUSTOMER = {"email": "wilhelmina.secret@example.org", "name": "Wilhelmina Geheimnis", "phone": "+4915112345678"}
SHIPPING = {"street": "77 Verschwiegen Alley", "city": "Schweigstadt", "state": "CA", "zip": "94105"}
GARBAGE = f'{{"error": "no such customer {CUSTOMER["email"]}, {CUSTOMER["name"]}, {SHIPPING["street"]}"'


async def test_no_secret_and_no_customer_is_in_any_log_parameter_result_artifact_or_error(hub: Hub) -> None:
    await trouble(hub, "o-quiet-1", "stripe", "create payment", "drop", "after")
    await trouble(hub, "o-quiet-2", "shippo", "buy label", "garbage", "before")
    await trouble(hub, "o-quiet-3", "sendgrid", "send mail", "status", "before", status=400)
    await trouble(hub, "o-quiet-4", "slack", "post message", "status", "before", status=500)
    orders = {f"o-quiet-{n}": {} for n in range(1, 6)} | {"o-quiet-6": {"paymentMethod": "pm_card_chargeDeclined"}}
    orders["o-quiet-5"] = {"shipping": {**SHIPPING, "zip": "00000"}}

    await asyncio.gather(*(hub.place(name, **(an_order(customer=CUSTOMER, shipping=SHIPPING) | more)) for name, more in orders.items()))
    for name in orders:
        await hub.until_order(name, lambda order: order["status"] in ("confirmed", "payment_failed", "refunded"), seconds=120)

    words = [*CUSTOMER.values(), SHIPPING["street"], SHIPPING["city"], *secrets_of(hub)]
    assert leaks_in_files(hub.stack.home, words) == []
    assert await leaks_in_prefect(hub, words) == []
    assert await leaks_in_prefect(hub, ["o-quiet-1"]) != []
    assert "o-quiet-1" in (hub.stack.home / "logs" / "worker.log").read_text(), "the search looked at the right files"


async def test_whoever_is_forgotten_stands_nowhere_any_more_not_even_where_somebody_typed_the_order(hub: Hub) -> None:
    customer = {"email": "hildegard.typed@example.org", "name": "Hildegard Vergissmich", "phone": "+4915112345679"}
    typed = an_order(customer=customer, shipping={**SHIPPING, "street": "78 Vergessen Alley"}, paymentMethod="pm_card_chargeDeclined")
    words = [*customer.values(), "78 Vergessen Alley"]
    await hub.run({"order_id": "o-typed", "order": typed})
    assert await leaks_in_prefect(hub, words) != []
    await hub.command("hub", "order", "cancel", "o-typed")
    await hub.until_status("o-typed", "cancelled")

    said = json.loads(await hub.command("hub", "forget", customer["email"].upper(), "--json"))
    again = await hub.command("hub", "forget", customer["email"])

    assert (said["orders"], said["runs"]) == (["o-typed"], 1)
    assert again.startswith("no order and no sign-up has this address")
    assert leaks_in_files(hub.stack.home, words) == []
    assert await leaks_in_prefect(hub, words) == []
    assert "forgotten" in await hub.command("hub", "order", "explain", "o-typed")


async def trouble(hub: Hub, order_id: str, provider: str, operation: str, what: str, when: str, **more: object) -> None:
    body = {"body": GARBAGE} if what in ("garbage", "status") else {}
    await hub.sandbox.fault(provider, operation, what, when=when, match={"subject": order_id}, **body, **more)


def secrets_of(hub: Hub) -> list[str]:
    keys = [hub.key(provider) for provider in ("stripe", "sendgrid", "shippo", "slack", "twilio", "profiles")]
    made = [file.read_text().strip() for file in (hub.stack.home / "secrets").iterdir() if file.name != "rehearsal_keys"]
    return keys + made


def leaks_in_files(home: Path, words: list[str]) -> list[str]:
    """Search logs, results and Prefect's home; not the databases, the sandbox's memory and the folder of secrets themselves."""
    folders = (home / name for name in ("logs", "results", "prefect", "run"))
    files = [file for folder in folders for file in folder.rglob("*") if file.is_file()]
    assert any(file.is_relative_to(home / "results") for file in files)
    return [f"{word!r} in {file}" for file in files for word in words if word.encode() in file.read_bytes()]


async def leaks_in_prefect(hub: Hub, words: list[str]) -> list[str]:
    """Search every row of every table of Prefect's database: runs, parameters, logs, artifacts, events, encrypted blocks."""
    found = []
    async with hub.database("prefect") as database:
        tables = [row["tablename"] for row in await database.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]
        for table in tables:
            for word in words:
                count = await database.fetchval(f'SELECT count(*) FROM "{table}" AS t WHERE t::text LIKE $1', f"%{word}%")  # noqa: S608
                if count:
                    found.append(f"{word!r} in {count} rows of {table}")
    return found
