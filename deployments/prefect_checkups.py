"""What `hub doctor` looks at in Prefect itself. Every check returns one sentence, or raises a ``Problem`` that says what to do."""

from __future__ import annotations

import time
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import prefect
from prefect.client.orchestration import get_client
from prefect.results import aget_default_result_storage
from prefect.settings import get_current_settings
from sqlalchemy import text

from deployments.problems import Problem
from hub.database import transaction

SKEW_SECONDS = 2.0
KEPT_AS = "hub-doctor"
RESTART = "stop the stack and start it with `hub up`; another server needs the settings of prefect.toml"
TRAPS = {
    "server.concurrency.lease_storage": ("filesystem", "a restart of the server forgets which runs hold the slots of a limit"),
    "server.services.event_persister.enabled": ("True", "events are not kept, and task runs are missing"),
    "server.services.triggers.enabled": ("True", "no automation starts anything"),
    "server.services.scheduler.enabled": ("True", "nothing is planned, and `sweep` never runs"),
    "server.services.db_vacuum.enabled": ("flow_runs", "old runs stay for ever, with what somebody has typed into their forms"),
}
"""Settings of Prefect's server that bite: what the value must hold, and what happens otherwise."""


async def versions() -> str:
    """The server is of the version that this installation was tested with."""
    async with get_client() as client:
        server = await client.api_version()
    if server != prefect.__version__:
        raise Problem(f"the server is Prefect {server}, and this is {prefect.__version__}: install the lock at both, and start them again.")
    return f"Prefect {server} here and at the server"


async def server_settings() -> str:
    """No setting of the server is one of those that are known to bite."""
    async with get_client() as client:
        known = (await client.request("GET", "/admin/settings")).json()
    wrong = [f"{name} is {_at(known, name)}: {harm}" for name, (wanted, harm) in TRAPS.items() if wanted not in str(_at(known, name))]
    if wrong:
        raise Problem(f"{'; '.join(wrong)}: {RESTART}.")
    return f"{len(TRAPS)} that are known to bite are as they should be"


async def results() -> str:
    """What steps have come to can be kept and read again, where every worker finds it."""
    storage = await aget_default_result_storage()
    try:
        await storage.write_path(KEPT_AS, b"well")
        kept = await storage.read_path(KEPT_AS)
    except Exception as failure:
        raise Problem(
            f"results cannot be kept ({type(failure).__name__}): mend the storage block, or the folder that it names."
        ) from failure
    if kept != b"well":
        raise Problem("results are not read back as they were kept: choose another storage block (PREFECT_DEFAULT_RESULT_STORAGE_BLOCK).")
    return f"kept and read back in {type(storage).__name__}"


async def clocks() -> str:
    """This machine, the hub's database and Prefect's server agree on the time."""
    asked_at = time.time()
    async with transaction() as session:
        there = float((await (await session.connection()).execute(text("SELECT extract(epoch FROM clock_timestamp())"))).scalar_one())
    off = {"the database": there - (asked_at + time.time()) / 2}
    async with httpx.AsyncClient(timeout=10, trust_env=False) as anybody:
        answer = await anybody.get(f"{get_current_settings().api.url}/health")
    off["Prefect's server"] = parsedate_to_datetime(answer.headers["date"]).timestamp() + 0.5 - time.time()
    if wrong := [f"{whose} by {seconds:+.1f} s" for whose, seconds in off.items() if abs(seconds) > SKEW_SECONDS]:
        raise Problem(f"clocks differ from this machine's: {', '.join(wrong)}. Set them by NTP; signatures expire after 300 s.")
    return f"{', '.join(off)} and this machine agree within {SKEW_SECONDS:.0f} s"


def _at(known: dict[str, Any], name: str) -> Any:
    for part in name.split("."):
        known = known[part]
    return known
