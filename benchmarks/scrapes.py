"""How long a scrape of `/metrics` takes beside a long history, beside the same numbers added up from all rows; and what counting costs."""

from __future__ import annotations

import json
import statistics
import time
from typing import TYPE_CHECKING

import aiohttp
import asyncpg
from prometheus_client.parser import text_string_to_metric_families

from benchmarks.inbox import address_of
from benchmarks.results import ADDED_UP, COUNTED, HEALTH, LONG, SHORT, UNCOUNTED, Scraped
from hub.settings import STACK_FILE

if TYPE_CHECKING:
    from benchmarks.measuring import Measuring

ORDERS_AT_ONCE = 1000
STEPS = (
    ("stripe", "take the payment", "payment"),
    ("shippo", "quote the shipment", "quote"),
    ("shippo", "buy the label", "label"),
    ("sendgrid", "mail the customer", "mail"),
    ("slack", "tell the team", "team"),
)
# What a course of orders leaves behind, written as the hub writes it: with every trigger at work. Each tenth call had to be repeated.
ORDERS = """
    INSERT INTO orders (id, correlation_id, attempt, epoch, fence, runs_without_progress, request, status, message, currency, amount,
        payment_method, payment, parcel, stock, hold, refunded)
    SELECT 'past-' || n, 'c', 1, 1, 1, 0, '{}', CASE WHEN n % 10 = 0 THEN 'payment_failed' ELSE 'delivered' END, '', 'usd', 2599,
        'pm_card_visa', 'paid', 'delivered', 'reserved', 'none', 0
    FROM generate_series($1::int, $2::int) n
"""
EFFECTS = """
    INSERT INTO effects (key, subject_kind, subject_id, step, attempt, provider, action, request, state, same_key_is_useless, settled_at)
    SELECT 'order:past-' || n || ':' || step || ':1', 'order', 'past-' || n, step, 1, provider, action,
        '{"amount": 2599, "currency": "usd"}', 'done', false, clock_timestamp()
    FROM generate_series($1::int, $2::int) n, unnest($3::text[], $4::text[], $5::text[]) AS steps (provider, action, step)
"""
ATTEMPTS = """
    INSERT INTO attempts (effect_key, kind, run_id, fence, started_at, ended_at, outcome)
    SELECT key, 'call', 'run', 1, now() - make_interval(secs => 0.01 + random() * 2), now(),
        CASE WHEN time = 1 THEN 'not_sent' ELSE 'done' END
    FROM effects, generate_series(1, 2) time
    WHERE subject_id = ANY (SELECT 'past-' || n FROM generate_series($1::int, $2::int) n) AND (time = 2 OR hashtext(key) % 10 = 0)
"""
NOTICES = """
    INSERT INTO notices (provider, event_id, kind, state, received_at, handled_at)
    SELECT provider, 'past-' || n || provider, 'past', 'handled', now() - make_interval(secs => random()), now()
    FROM generate_series($1::int, $2::int) n, unnest('{stripe,sendgrid,shippo}'::text[]) provider
"""
FROM_ALL_ROWS = (
    """
    SELECT provider, action, kind, outcome, bucket_of_seconds(extract(epoch FROM ended_at - started_at)), count(*),
        sum(ended_at - started_at)
    FROM attempts JOIN effects ON key = effect_key WHERE outcome IS NOT NULL GROUP BY 1, 2, 3, 4, 5
    """,
    """
    SELECT provider, state, bucket_of_seconds(extract(epoch FROM handled_at - received_at)), count(*), sum(handled_at - received_at)
    FROM notices GROUP BY 1, 2, 3
    """,
    "SELECT status, count(*) FROM orders GROUP BY 1",
    "SELECT operation, currency, count(*), sum(amount) FROM payment_audit GROUP BY 1, 2",
)
END = "UPDATE attempts SET outcome = 'done', ended_at = clock_timestamp() WHERE id = $1"


class Scrapes:
    """Scrapes a running stack and looks into its database."""

    def __init__(self, measuring: Measuring, http: aiohttp.ClientSession, database: asyncpg.Connection) -> None:
        self._plan, self._results, self._say = measuring.plan, measuring.results, measuring.say
        self._http, self._database = http, database

    async def all(self) -> None:
        """With the short history that there is, then with a long one."""
        await self._answers(SHORT, "/metrics")
        await self._fill()
        for _ in range(self._plan.scrape_rounds):
            await self._answers(LONG, "/metrics")
            await self._answers(HEALTH, "/health")
            await self._keep(ADDED_UP, [await self._add_up() for _ in range(3)])
        await self._is_exact()
        await self._ends()

    async def _answers(self, who: str, path: str) -> None:
        seconds = []
        for _ in range(self._plan.scrapes):
            began = time.perf_counter()
            async with self._http.get(path) as answer:
                await answer.read()
                answer.raise_for_status()
            seconds.append(time.perf_counter() - began)
        await self._keep(who, seconds)

    async def _add_up(self) -> float:
        began = time.perf_counter()
        for statement in FROM_ALL_ROWS:
            await self._database.fetch(statement)
        return time.perf_counter() - began

    async def _fill(self) -> None:
        self._say(f"  {self._plan.past_orders} orders of the past are written")
        names = [list(column) for column in zip(*STEPS, strict=True)]
        for first in range(1, self._plan.past_orders, ORDERS_AT_ONCE):
            last = min(first + ORDERS_AT_ONCE - 1, self._plan.past_orders)
            async with self._database.transaction():
                await self._database.execute(ORDERS, first, last)
                await self._database.execute(EFFECTS, first, last, *names)
                await self._database.execute(ATTEMPTS, first, last)
                await self._database.execute(NOTICES, first, last)
        await self._database.execute("VACUUM ANALYZE")  # as the database's own does by and by

    async def _is_exact(self) -> None:
        ended = await self._database.fetchval("SELECT count(*) FROM attempts WHERE outcome IS NOT NULL")
        async with self._http.get("/metrics") as answer:
            families = text_string_to_metric_families(await answer.text())
        shown = sum(sample.value for family in families for sample in family.samples if sample.name == "hub_provider_calls_total")
        if shown != ended:
            self._results.news.append(f"the metrics show {shown:g} calls, the ledger has {ended}")

    async def _ends(self) -> None:
        """Ends calls one by one, each in a commit of its own, in turns with and without the trigger that counts them."""
        calls = await self._database.fetch("SELECT id FROM attempts ORDER BY id DESC LIMIT $1", self._plan.ended_calls)
        for _ in range(self._plan.scrape_rounds):
            for who, what in ((UNCOUNTED, "DISABLE"), (COUNTED, "ENABLE")):
                await self._database.execute("UPDATE attempts SET outcome = NULL WHERE id = ANY ($1)", [call["id"] for call in calls])
                await self._database.execute(f"ALTER TABLE attempts {what} TRIGGER ends_are_tallied")
                began = time.perf_counter()
                for call in calls:
                    await self._database.execute(END, call["id"])
                await self._keep(who, [(time.perf_counter() - began) / len(calls)])

    async def _keep(self, who: str, seconds: list[float]) -> None:
        effects = await self._database.fetchval("SELECT count(*) FROM effects")
        self._results.scraped.append(Scraped(who, effects, [round(one, 6) for one in seconds]))
        self._say(f"  {who}, {effects} effects: {1000 * statistics.median(seconds):.2f} ms")


async def measure_scrapes(measuring: Measuring) -> None:
    """All about scrapes was measured."""
    key = json.loads((measuring.stack.home / STACK_FILE).read_text())["gateway_key"]
    bearer = {"Authorization": f"Bearer {key}"}
    database = await asyncpg.connect(**address_of(measuring.stack.databases.hub))
    try:
        async with aiohttp.ClientSession(measuring.stack.gateway_url, headers=bearer) as http:
            await Scrapes(measuring, http, database).all()
    finally:
        await database.close()
