"""
The moments of a process at which something may die, found by watching it once in calm weather, and runs held exactly there.

Triggers write down every change of the ledger's rows, and the sandbox every request: whatever a flow does becomes moments by itself.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

import asyncpg

from tests.journeys.hub_under_test import Hub

LOCK = 4711
"""First half of advisory locks of the proof's own; the second half is the number of the hold."""
TABLES = ("effects", "attempts", "facts", "runs", "orders", "signups", "releases", "registrations", "activities", "notices")
NOT_BY_RUNS = ("run died", "status received", "status IN_PROGRESS", "status requested")
WATCHING = """
    CREATE TABLE proof_changes (n bigserial PRIMARY KEY, at timestamptz DEFAULT clock_timestamp(), tx xid8 DEFAULT pg_current_xact_id(),
        subject text, what text);
    CREATE INDEX ON proof_changes (subject, what);
    CREATE TABLE proof_holds (subject text, what text, nth int, lock int, PRIMARY KEY (subject, what, nth));
    CREATE FUNCTION proof_watch() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE new_row jsonb := to_jsonb(NEW); about text; says text; number int; hold int;
    BEGIN
        about := CASE WHEN TG_TABLE_NAME = 'attempts' THEN split_part(new_row->>'effect_key', ':', 2)
            WHEN TG_TABLE_NAME IN ('orders', 'signups', 'releases') THEN new_row->>'id'
            ELSE coalesce(new_row->>'subject_id', new_row->>'signup_id') END;
        says := proof_says(TG_TABLE_NAME, new_row);
        IF about IS NULL OR (TG_OP = 'UPDATE' AND says IS NOT DISTINCT FROM proof_says(TG_TABLE_NAME, to_jsonb(OLD))) THEN
            RETURN NEW;
        END IF;
        INSERT INTO proof_changes (subject, what) VALUES (about, says);
        SELECT count(*) INTO number FROM proof_changes WHERE subject = about AND what = says;
        SELECT lock INTO hold FROM proof_holds WHERE subject = about AND what = says AND nth = number;
        IF hold IS NOT NULL THEN PERFORM pg_advisory_xact_lock_shared({lock}, hold); END IF;
        RETURN NEW;
    END $$;
    CREATE FUNCTION proof_says(name text, changed jsonb) RETURNS text LANGUAGE sql AS $$
    SELECT CASE name
        WHEN 'effects' THEN (changed->>'step') || ' ' || (changed->>'state')
        WHEN 'attempts' THEN split_part(changed->>'effect_key', ':', 3) || ' ' || (changed->>'kind') || ' '
            || coalesce(changed->>'outcome', 'begins')
        WHEN 'facts' THEN 'fact ' || (changed->>'kind')
        WHEN 'runs' THEN 'run ' || coalesce(changed->>'ended_as', 'begins')
        WHEN 'registrations' THEN 'registration ' || (changed->>'status')
        WHEN 'activities' THEN 'log of ' || (changed->>'operation')
        WHEN 'notices' THEN 'notice ' || (changed->>'state')
        ELSE 'status ' || (changed->>'status') END $$;
"""


class Where(StrEnum):
    """What a run is about to do, or waits for, when it is held."""

    COMMIT = "before the commit"
    SEND = "before the first byte"
    ARRIVED = "asked; the provider does it later"
    WORKED = "done by the provider, unanswered"


@dataclass(frozen=True, order=True)
class Moment:
    """
    One moment of a process.

    ``what`` is the last change of a commit, the step whose request is about to go, or provider and operation; ``nth`` is counted from 1
    among those of the same subject. ``title`` says it to people.
    """

    where: Where
    what: str
    nth: int
    title: str = field(compare=False)


async def watch_changes(database: asyncpg.Connection) -> None:
    """Have every change of the ledger written down from now on."""
    await database.execute(WATCHING.replace("{lock}", str(LOCK)))
    for table in TABLES:
        await database.execute(f"CREATE TRIGGER proof_watch BEFORE INSERT OR UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION proof_watch()")


async def moments_of(hub: Hub, database: asyncpg.Connection, subject: str, since: float = 0) -> list[Moment]:
    """Return the moments that the subject has come through, in order; ``since`` is in seconds since the epoch."""
    found: list[tuple[float, Moment]] = []
    commits: dict[object, list[asyncpg.Record]] = {}
    counted: Counter[str] = Counter()
    rows = await database.fetch("SELECT *, extract(epoch FROM at) AS seconds FROM proof_changes WHERE subject = $1 ORDER BY n", subject)
    numbered = []
    for row in rows:
        counted[row["what"]] += 1
        numbered.append((row, counted[row["what"]]))
        commits.setdefault(row["tx"], []).append(row)
    last = {changes[-1]["n"]: [change["what"] for change in changes] for changes in commits.values()}
    for row, nth in numbered:
        whats = last.get(row["n"], [])
        if not whats or row["seconds"] < since or _is_not_a_runs(whats):
            continue
        seconds = float(row["seconds"])
        found.append((seconds, Moment(Where.COMMIT, row["what"], nth, " + ".join(whats))))
        begun = [what.removesuffix(" call begins") for what in whats if what.endswith(" call begins")]
        found += [(seconds, Moment(Where.SEND, step, 1, f"{step}: {Where.SEND}")) for step in begun]
    asked: Counter[str] = Counter()
    for request in await hub.sandbox.requests():
        if request["subject"] == subject:
            what = f"{request['provider']}/{request['operation']}"
            asked[what] += 1
            if request["at"] >= since:
                found += [(request["at"], Moment(where, what, asked[what], f"{what}: {where}")) for where in (Where.ARRIVED, Where.WORKED)]
    return [moment for _, moment in sorted(found, key=lambda pair: pair[0])]


def _is_not_a_runs(whats: Iterable[str]) -> bool:
    """Tell whether the gateway, the sweep or the handler of notices committed this, and no run of the subject."""
    return any(what in NOT_BY_RUNS or what.startswith("notice ") for what in whats)


class Holds:
    """Runs that are held at moments, and let go. ``folder`` is where a worker looks for those before the first byte."""

    def __init__(self, hub: Hub, folder: Path) -> None:
        self._hub, self._folder = hub, folder
        self._numbers = 0
        self._placed: dict[str, tuple[Moment, str | int]] = {}
        self._holder: asyncpg.Connection | None = None

    async def hold(self, subject: str, moment: Moment) -> None:
        """Have the subject's run stop at the moment when it comes there."""
        match moment.where:
            case Where.COMMIT:
                self._numbers += 1
                holder = await self._connection()
                await holder.execute("SELECT pg_advisory_lock($1, $2)", LOCK, self._numbers)
                row = (subject, moment.what, moment.nth, self._numbers)
                await holder.execute("INSERT INTO proof_holds VALUES ($1, $2, $3, $4)", *row)
                self._placed[subject] = moment, self._numbers
            case Where.SEND:
                key = f"{subject.partition('-')[0]}:{subject}:{moment.what}:1"
                (self._folder / f"{key}.here").unlink(missing_ok=True)
                (self._folder / key).touch()
                self._placed[subject] = moment, key
            case Where.ARRIVED | Where.WORKED:
                provider, _, operation = moment.what.partition("/")
                when, only = ("before" if moment.where is Where.ARRIVED else "after"), {"subject": subject}
                for _ in range(moment.nth - 1 - await self._asked(subject, provider, operation)):
                    await self._hub.sandbox.fault(provider, operation, "delay", when=when, seconds=0, match=only)
                self._placed[subject] = moment, await self._hub.sandbox.fault(provider, operation, "hang", when=when, match=only)

    async def _asked(self, subject: str, provider: str, operation: str) -> int:
        over = await self._hub.sandbox.requests(provider, operation)
        return sum(request["subject"] == subject for request in [*over, *await self._hub.sandbox.inside(provider, operation)])

    async def arrived(self) -> set[str]:
        """Return the subjects that stand at their moment now."""
        locks = "SELECT objid FROM pg_locks WHERE locktype = 'advisory' AND classid = $1 AND objsubid = 2 AND NOT granted"
        waiting: set[object] = {row["objid"] for row in await (await self._connection()).fetch(locks, LOCK)}
        waiting |= {file.name.removesuffix(".here") for file in self._folder.glob("*.here")}
        waiting |= {inside["fault"]["id"] for inside in await self._hub.sandbox.inside() if inside["fault"]}
        return {subject for subject, (_, hold) in self._placed.items() if hold in waiting}

    async def let_go(self) -> None:
        """Let everybody go on who is held and still lives; nobody is held any more."""
        placed, self._placed = list(self._placed.values()), {}
        await self._let_go(placed)

    async def _let_go(self, placed: Iterable[tuple[Moment, str | int]]) -> None:
        for moment, hold in placed:
            match moment.where:
                case Where.COMMIT:
                    await self._unlock(hold)
                case Where.SEND:
                    (self._folder / str(hold)).unlink()
                case _:
                    await self._hub.sandbox.release(str(hold))

    async def _unlock(self, number: str | int) -> None:
        if self._holder is None or self._holder.is_closed():
            return
        with contextlib.suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError):  # with its server every lock is gone
            await self._holder.execute("SELECT pg_advisory_unlock($1, $2)", LOCK, number)

    async def close(self) -> None:
        """Let everybody go, and every lock."""
        await self.let_go()
        if self._holder is not None and not self._holder.is_closed():
            await self._holder.close()

    async def _connection(self) -> asyncpg.Connection:
        if self._holder is None or self._holder.is_closed():
            self._holder = await self._hub.connect()
        return self._holder
