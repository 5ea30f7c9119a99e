"""What `hub doctor` looks at. Every check returns one sentence, or raises a ``Problem`` that says what to do."""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Awaitable, Callable
from functools import partial

import httpx
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.sorting import DeploymentSort
from prefect.exceptions import ObjectNotFound
from prefect.settings import get_current_settings

from blocks.provider_account import ProviderAccount
from blocks.webhook_trust import SENDERS, trusted
from deployments import accounts, instance, prefect_checkups, secret_files
from deployments.declarations import declared
from deployments.layout import JANITOR_QUEUE, POOL, PROJECT
from deployments.ledger_checkups import notices, payment_audit, reconciliation, recovery
from deployments.problems import Problem
from hub.database import DatabaseNotChosen, schema_is_current
from hub.errors import ProviderError
from hub.identity import remembered_mode
from hub.private_files import SECRETS_FOLDER, known
from hub.settings import STACK_FILE, settings

OFFICIAL = ("test", "live")
START = "start the stack with `hub up`"


async def database() -> str:
    """The hub's database answers and has the newest tables."""
    try:
        current = await schema_is_current()
    except DatabaseNotChosen as unknown:
        raise Problem(f"{unknown}.") from unknown
    except Exception as failure:
        message = f"it cannot be reached ({type(failure).__name__}): {START}, or check HUB_DATABASE_URL."
        raise Problem(message) from failure
    if not current:
        raise Problem(f"its tables are not the newest: {START}, which migrates.")
    return f"reachable, newest tables, used for {await remembered_mode() or 'nothing yet'} work"


def prefect_client() -> PrefectClient:
    """Prefect's client."""
    must_be_named()
    return get_client()


def must_be_named() -> None:
    """Somebody says where Prefect's API is; otherwise Prefect would quietly start a server of its own."""
    if get_current_settings().api.url is None:
        raise Problem(f"nobody says where Prefect's API is: {START}, or set PREFECT_API_URL.")


async def prefect_api() -> str:
    """Prefect's API answers us."""
    async with prefect_client() as client:
        failure = await client.api_healthcheck()
        if failure is not None:
            raise Problem(f"{client.api_url} does not answer ({type(failure).__name__}): {START}, or check PREFECT_API_URL.")
        return f"{client.api_url} answers"


async def guarded_server() -> str:
    """The local server keeps its secrets: encryption key, no foreign origin, auth as soon as an account is official."""
    home = settings().home.expanduser().resolve()
    if instance.written_down(home) is None:
        return "no local stack is running; who runs the Prefect server guards it"
    if known(home, secret_files.ENCRYPTION_KEY) is None:
        raise Problem(f"the encryption key is missing below {home}: stop the stack and start it with `hub up`.")
    url = f"{get_current_settings().api.url}/block_documents/filter"
    async with httpx.AsyncClient(timeout=10, trust_env=False) as stranger:
        foreign = await stranger.post(url, json={"limit": 1}, headers={"Origin": "http://elsewhere.example"})
        anonymous = await stranger.post(url, json={"limit": 1})
    if "access-control-allow-origin" in foreign.headers:
        raise Problem("pages of other origins may read from it: stop the stack and start it with `hub up`.")
    official = [provider for provider in accounts.ACCOUNTS if await _mode(provider) in OFFICIAL]
    if official and anonymous.status_code != httpx.codes.UNAUTHORIZED:
        raise Problem(f"it asks for no auth string although {', '.join(official)} is not for rehearsal: stop and start with `hub up`.")
    guard = "asks for an auth string" if anonymous.status_code == httpx.codes.UNAUTHORIZED else "no auth string, all accounts rehearse"
    return f"encryption key set, closed to other origins, {guard}"


async def worker() -> str:
    """The work pool exists, is not paused, and a worker looks after it."""
    async with prefect_client() as client:
        try:
            pool = await client.read_work_pool(POOL)
        except ObjectNotFound as missing:
            raise Problem(f"there is no work pool {POOL!r}: {START}, or `prefect work-pool create {POOL} --type process`.") from missing
        workers = await client.read_workers_for_work_pool(POOL, limit=100, offset=0)
        janitor = await client.read_work_queue_by_name(JANITOR_QUEUE, work_pool_name=POOL)
    if pool.is_paused or janitor.is_paused:
        raise Problem(f"the work pool or its queue {JANITOR_QUEUE!r} is paused: resume it in the Prefect UI.")
    if pool.concurrency_limit is not None or janitor.concurrency_limit is not None:
        raise Problem("the pool or the janitor's queue has a limit, so dead runs can lock out `sweep`: limit the queue `default` instead.")
    online = [one.name for one in workers if one.status == "ONLINE"]
    if not online:
        raise Problem(f"no worker looks after it: {START}, or run `hub worker`.")
    return f"pool {POOL!r}, worker {', '.join(online)} online"


async def deployments() -> str:
    """Every deployment that prefect.yaml declares is at the server."""
    wanted = declared(PROJECT / "prefect.yaml")
    async with prefect_client() as client:
        present = {one.entrypoint for one in await client.read_deployments(sort=DeploymentSort.NAME_ASC, limit=200)}
    missing = [one.entrypoint for one in wanted if one.entrypoint not in present]
    if missing:
        raise Problem(f"not deployed: {', '.join(missing)}: {START}, or `prefect deploy --all`.")
    return f"{len(wanted)} present"


async def automations() -> str:
    """Every trigger that prefect.yaml declares is one automation, neither missing nor twice."""
    wanted = [trigger["name"] for one in declared(PROJECT / "prefect.yaml") for trigger in one.triggers]
    async with prefect_client() as client:
        present = Counter({name: len(await client.read_automations_by_name(name)) for name in wanted})
    if wrong := [f"{name!r} is there {present[name]} times" for name in wanted if present[name] != 1]:
        raise Problem(f"{'; '.join(wrong)}: {START}, or `prefect deploy --all`; until then the sweep handles what is kept.")
    return f"{len(wanted)} present, each once"


async def account(provider: str) -> str:
    """The account of ``provider`` is saved and its credentials work."""
    if provider not in accounts.needed():
        return "not needed: HUB_PICK_TICKETS is off"
    found = await _saved(provider)
    if found is None:
        raise Problem(f"no account is saved: {START}, or save one in the Prefect UI under Blocks.")
    try:
        return f"{found.mode}: {await found.check()}"
    except ProviderError as failure:
        raise Problem(f"{failure}.") from failure


async def webhooks() -> str:
    """Every account has a secret for its webhooks, and Shippo signs."""
    must_be_named()
    trust = await trusted({})
    if shut := [name for name in accounts.ACCOUNTS if name in SENDERS and name not in trust]:
        raise Problem(f"no webhook secret for {', '.join(shut)}, so what they tell is answered 503: set it in the Prefect UI under Blocks.")
    if trust["shippo"].by_token:
        raise Problem("shippo shows a token in the URL, which is weaker than a signature: ask Shippo for HMAC (docs/providers/shippo.md).")
    return f"{', '.join(trust)} may call {settings().webhooks_base_url}/webhooks/…"


async def answers(path: str, which: str) -> str:
    """``path`` answers below the address of ``which``."""
    base = settings().gateway_url if which == "gateway" else settings().sandbox_url
    if which == "sandbox" and all([await _mode(provider) in OFFICIAL for provider in accounts.needed()]):
        return "not needed, every account is official"
    try:
        async with httpx.AsyncClient(timeout=10, trust_env=False) as client:
            answer = await client.get(base + path)
    except httpx.HTTPError as failure:
        raise Problem(f"{base} does not answer ({type(failure).__name__}): {START}, or run `hub {which}`.") from failure
    if answer.status_code != httpx.codes.OK:
        raise Problem(f"{base}{path} answers {answer.status_code}: see the log of the {which} below {settings().home}/logs.")
    return f"{base} answers"


async def private_files() -> str:
    """Nobody else on this machine can read our secrets."""
    home = settings().home.expanduser().resolve()
    files = [path for path in (home / SECRETS_FOLDER).glob("*") if path.is_file()]
    files += [path for path in (home / STACK_FILE, home / "sandbox" / "token") if path.exists()]
    loose = [path for path in files if stat.S_IMODE(path.stat().st_mode) & 0o077 or path.stat().st_uid != os.geteuid()]
    if loose:
        raise Problem(f"others can read {', '.join(map(str, loose))}: chmod 600, and replace what they hold.")
    return f"{len(files)} files of mode 0600"


async def _saved(provider: str) -> ProviderAccount | None:
    must_be_named()
    return await accounts.saved(provider)


async def _mode(provider: str) -> str | None:
    found = await _saved(provider)
    return None if found is None else str(found.mode)


CHECKS: dict[str, Callable[[], Awaitable[str]]] = {
    "database": database,
    "Prefect API": prefect_api,
    "Prefect's version": prefect_checkups.versions,
    "Prefect's settings": prefect_checkups.server_settings,
    "Prefect's guard": guarded_server,
    "results": prefect_checkups.results,
    "clocks": prefect_checkups.clocks,
    "work pool": worker,
    "deployments": deployments,
    "automations": automations,
    **{f"{provider} account": partial(account, provider) for provider in accounts.ACCOUNTS},
    "gateway": partial(answers, "/health", "gateway"),
    "webhooks": webhooks,
    "notices": notices,
    "payment audit": payment_audit,
    "recovery": recovery,
    "reconciliation": reconciliation,
    "sandbox": partial(answers, "/_sandbox/health", "sandbox"),
    "private files": private_files,
}
