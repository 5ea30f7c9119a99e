"""What the gateway does while those it leans on are away."""

from __future__ import annotations

import asyncio
import time

import asyncpg
import pytest

from deployments.embedded_database import EmbeddedDatabase
from deployments.examples import EXAMPLE_ORDER
from deployments.ports import free_ports
from hub.api_keys import add_key
from tests.contract.gateway_process import running_gateway
from tests.contract.pages_kit import Visitor, read


async def test_an_order_is_kept_at_once_while_prefect_says_nothing(
    hub_database: str, tmp_path_factory: pytest.TempPathFactory, silent_prefect: str
) -> None:
    home = tmp_path_factory.mktemp("waiting")
    async with (
        running_gateway(home, database_url=hub_database, prefect_url=silent_prefect) as gateway,
        gateway.with_key(await add_key("patient")) as shop,
    ):
        begin = time.monotonic()
        answers = await asyncio.gather(*(shop.put(f"/orders/o-silent-{number}", json=EXAMPLE_ORDER) for number in range(20)))

        assert [answer.status_code for answer in answers] == [201] * 20
        assert time.monotonic() - begin < 5


async def test_the_gateway_comes_back_with_its_database(
    postgres: EmbeddedDatabase, hub_database: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    admin = await asyncpg.connect(host=str(postgres.socket_folder), user="postgres", database="postgres")
    name = hub_database.partition("?")[0].rpartition("/")[2]
    home = tmp_path_factory.mktemp("patient")
    async with running_gateway(home, database_url=hub_database) as gateway, gateway.with_key(await add_key("persistent")) as shop:
        await shop.put("/orders/o-before", json=EXAMPLE_ORDER)
        health = await gateway.http.get("/health")
        assert (health.status_code, health.json()) == (200, {"ok": True, "database": "up"}), "it asks for no key"

        await admin.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
        await admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", name)
        away = [await shop.get("/orders/o-before"), await shop.put("/orders/o-during", json=EXAMPLE_ORDER), await shop.get("/health")]
        await admin.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
        back = [await shop.get("/orders/o-before"), await shop.put("/orders/o-during", json=EXAMPLE_ORDER), await shop.get("/health")]

        assert [answer.status_code for answer in away] == [503, 503, 503]
        assert [answer.status_code for answer in back] == [200, 201, 200]
        assert "Traceback" not in gateway.log()
    await admin.close()


@pytest.mark.parametrize("gone", ["the server", "the database"])
async def test_without_its_database_the_gateway_says_503_and_come_again(
    postgres: EmbeddedDatabase, tmp_path_factory: pytest.TempPathFactory, gone: str
) -> None:
    closed = f"postgresql+asyncpg://hub:hidden@127.0.0.1:{free_ports(1)[0]}/hub"
    url = closed if gone == "the server" else postgres.url("hub_that_never_was")
    async with running_gateway(tmp_path_factory.mktemp("lonely"), database_url=url) as lonely:
        health = await lonely.http.get("/health")
        answer = await lonely.http.put("/orders/o-1", json=EXAMPLE_ORDER, headers={"Authorization": "Bearer hub_some-key"})

        assert (health.status_code, health.json()) == (503, {"ok": False, "database": "down"})
        assert (answer.status_code, "send the same request again" in answer.json()["detail"]) == (503, True)
        async with Visitor(lonely.url) as visitor:
            page = await visitor.sign_in("hub_some-key")
        assert (page.status_code, "The database does not answer" in read(page.text).text) == (503, True)
        assert not [word for word in ("hidden", "hub_some-key", "Traceback") if word in lonely.log()]
