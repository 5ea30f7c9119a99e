"""Whom the door believes: by two secrets at once, by none without one, and after a restart while Prefect is down."""

from __future__ import annotations

import asyncio
import stat
import time
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import httpx
import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric import ec

from blocks.webhook_trust import Trust
from deployments.embedded_database import EmbeddedDatabase
from gateway.trust_copy import write_copy, written_copy
from tests.contract.gateway_process import Gateway
from tests.contract.signed_calls import (
    PROVIDERS,
    SECRETS,
    as_json,
    fresh,
    open_door,
    public_key,
    send,
    sendgrid_call,
    stripe_call,
    trust,
)

EVENT = as_json({"id": "evt_rotated", "type": "charge.refunded"})
COMING = ec.generate_private_key(ec.SECP256R1())


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("door")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def gateway(hub_database: str, home: Path) -> AsyncIterator[Gateway]:
    """Stripe and SendGrid are changing their secrets, Shippo shows a token."""
    believed = trust(stripe=("whsec_new_one", SECRETS["stripe"]), sendgrid=(public_key(COMING), public_key()))
    by_token = Trust(secrets=believed["shippo"].secrets, by_token=True)
    async with open_door(home, hub_database, believed | {"shippo": by_token}) as running:
        yield running


async def test_without_a_secret_a_door_stays_shut_and_the_provider_is_asked_to_come_again(hub_database: str, tmp_path: Path) -> None:
    async with open_door(tmp_path, hub_database, {"github": trust()["github"]}) as gateway:
        answers = await asyncio.gather(*(send(gateway, fresh(provider)) for provider in PROVIDERS))

        assert {provider: answer.status_code for provider, answer in zip(PROVIDERS, answers, strict=True)} == {
            **dict.fromkeys(PROVIDERS, 503),
            "github": 202,
        }
        assert {answer.headers.get("retry-after") for answer in answers} == {"2", None}


async def test_an_empty_secret_opens_nothing(hub_database: str, tmp_path: Path) -> None:
    async with open_door(tmp_path, hub_database, trust(stripe=("",))) as gateway:
        assert (await send(gateway, stripe_call(EVENT, secret=""))).status_code == 401


async def test_two_secrets_are_alive_at_once_while_one_is_rotated(gateway: Gateway) -> None:
    calls = [
        stripe_call(EVENT),
        stripe_call(EVENT, secret="whsec_new_one"),
        sendgrid_call(EVENT),
        sendgrid_call(EVENT, private=COMING),
        stripe_call(EVENT, secret="whsec_oldest"),
        sendgrid_call(EVENT, private=ec.generate_private_key(ec.SECP256R1())),
    ]

    assert [(await send(gateway, call)).status_code for call in calls] == [202, 202, 202, 202, 401, 401]


async def test_the_copy_of_the_secrets_is_sealed_and_nobody_else_can_read_it(gateway: Gateway, home: Path) -> None:
    await send(gateway, fresh("slack"))
    files = sorted((home / "secrets").iterdir())

    assert [(file.name, stat.S_IMODE(file.stat().st_mode)) for file in files] == [("webhook_copy", 0o600), ("webhook_copy_key", 0o600)]
    assert not [secret for secret in SECRETS.values() for file in files if secret in file.read_text() or secret in gateway.log()]


@pytest.mark.parametrize("damage", ["", "gibberish", "gAAAAABnonsense"])
def test_a_damaged_copy_shuts_the_doors_and_nothing_else(tmp_path: Path, damage: str) -> None:
    (tmp_path / "secrets").mkdir()
    write_copy(tmp_path, trust())
    assert written_copy(tmp_path) == trust()

    (tmp_path / "secrets" / "webhook_copy").write_text(damage)

    assert written_copy(tmp_path) == {}


async def test_the_token_in_the_url_counts_where_the_account_says_so(gateway: Gateway) -> None:
    body = as_json(
        {"event": "track_updated", "data": {"carrier": "usps", "tracking_number": "1", "tracking_status": {"status": "TRANSIT"}}}
    )
    paths = [f"/webhooks/shippo?token={SECRETS['shippo']}", "/webhooks/shippo?token=guessed", "/webhooks/shippo"]
    answers = [(await gateway.http.post(path, content=body)).status_code for path in paths]

    assert answers == [202, 401, 401]
    assert SECRETS["shippo"] not in gateway.log()


async def test_webhooks_can_have_a_port_of_their_own(hub_database: str, tmp_path: Path) -> None:
    async with (
        open_door(tmp_path / "webhooks", hub_database, only="webhooks") as webhooks,
        open_door(tmp_path / "orders", hub_database, only="orders") as orders,
    ):
        assert (await send(webhooks, fresh("stripe"))).status_code == 202
        assert (await webhooks.http.get("/orders/o-1")).status_code == 404
        assert (await orders.http.get("/orders/o-1")).status_code == 401
        assert (await send(orders, fresh("stripe"))).status_code == 404
        assert {(await one.http.get("/health")).status_code for one in (webhooks, orders)} == {200}


async def test_while_the_database_is_down_nothing_is_accepted_and_afterwards_everything(
    postgres: EmbeddedDatabase, hub_database: str, gateway: Gateway
) -> None:
    admin = await asyncpg.connect(host=str(postgres.socket_folder), user="postgres", database="postgres")
    name = hub_database.partition("?")[0].rpartition("/")[2]
    call = fresh("stripe")
    await admin.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
    await admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", name)
    away = [await send(gateway, call), await send(gateway, call)]
    await admin.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
    back = await send(gateway, call)

    assert [(answer.status_code, answer.headers["retry-after"]) for answer in away] == [(503, "2")] * 2
    assert (back.status_code, back.json()) == (202, {"kept": 1, "seenBefore": 0})
    assert "Traceback" not in gateway.log()
    await admin.close()


async def test_prefect_that_takes_calls_and_never_answers_delays_no_webhook(hub_database: str, tmp_path: Path, silent_prefect: str) -> None:
    async with open_door(tmp_path, hub_database, prefect_url=silent_prefect) as gateway:
        begin = time.monotonic()
        answers = [await send(gateway, fresh("github")) for _ in range(20)]

        assert {answer.status_code for answer in answers} == {202}
        assert time.monotonic() - begin < 2


async def test_a_door_without_secret_answers_before_the_provider_gives_up(hub_database: str, tmp_path: Path, silent_prefect: str) -> None:
    async with open_door(tmp_path, hub_database, {}, prefect_url=silent_prefect) as gateway:
        begin = time.monotonic()
        answer: httpx.Response = await send(gateway, fresh("slack"))

        assert (answer.status_code, time.monotonic() - begin < 3) == (503, True)
