"""What people who run the hub do every day, by the API and the command: list orders, see what waits for an answer, and give it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest
import pytest_asyncio

from hub.api_keys import ReservedKeyName, add_key
from hub.approvals import approval_of
from hub.database import transaction
from hub.facts import PaymentSettled
from hub.refunds import RefundTerms, ask_refund
from hub.subject_rows import locked, record
from tests.contract.gateway_process import Gateway, command, running_gateway
from tests.contract.ledger_kit import changed, placed

Command = Callable[..., Awaitable[str]]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def gateway(hub_database: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Gateway]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HUB_APPROVERS", '["shop", "treasurer"]')
        async with running_gateway(tmp_path_factory.mktemp("gateway"), database_url=hub_database) as running:
            yield running


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def keys(gateway: Gateway) -> dict[str, str]:
    """The secrets of the shop, which asks, of the treasurer, who may decide, and of somebody whom nobody has named."""
    return {name: await add_key(name) for name in ("shop", "treasurer", "clerk")}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def treasurer(gateway: Gateway, keys: dict[str, str]) -> AsyncIterator[httpx.AsyncClient]:
    async with gateway.with_key(keys["treasurer"]) as client:
        yield client


@pytest.fixture(scope="module")
def hub(gateway: Gateway, keys: dict[str, str]) -> Command:
    """The command, with the treasurer's key unless another is named."""

    async def ran(*arguments: str, fails: bool = False, key: str = "treasurer") -> str:
        return await command(*arguments, fails=fails, HUB_GATEWAY_URL=gateway.url, HUB_GATEWAY_KEY=keys[key])

    return ran


async def asked(refund_id: str = "r-1") -> tuple[str, int]:
    """A refund of a paid order for which the shop needs somebody's approval: the order's id, and the approval's."""
    order_id = await placed()
    async with transaction() as session:
        row, _ = await locked(session, order_id)
        paid = PaymentSettled(attempt=1, payment_id="pi_1", charge_id="ch_1", amount=row.amount, currency=row.currency)
        await record(session, row, paid, source="run")
    async with changed(refund_asks_above="0"):
        await ask_refund(order_id, refund_id, RefundTerms(amount=4_000, reason="a scratch"), by="shop")
    async with transaction() as session:
        approval = await approval_of(session, order_id, refund_id)
    assert approval is not None
    return order_id, approval.id


async def decide(client: httpx.AsyncClient, approval_id: int, *, approve: Any = True) -> httpx.Response:
    return await client.post(f"/approvals/{approval_id}/decision", json={"approve": approve})


async def test_what_waits_is_seen_with_its_reason_and_decided_once_by_the_key_that_may(treasurer: httpx.AsyncClient) -> None:
    order_id, approval_id = await asked()

    waiting = (await treasurer.get(f"/approvals/{approval_id}")).json()
    first, again = await decide(treasurer, approval_id), await decide(treasurer, approval_id)
    other = await decide(treasurer, approval_id, approve=False)

    assert (waiting["state"], waiting["reason"], waiting["requestedBy"]) == ("open", "a scratch", "shop")
    assert (waiting["subjectId"], waiting["item"], waiting["amount"], waiting["currency"]) == (order_id, "r-1", 4_000, "usd")
    assert (first.status_code, first.json()["state"], first.json()["decidedBy"]) == (200, "approved", "treasurer")
    assert (again.json(), other.status_code) == (first.json(), 409)
    assert "it was approved by treasurer already" in other.json()["detail"]


async def test_whoever_asks_does_not_decide_although_they_may_and_nobody_else_does_whom_nobody_named(
    gateway: Gateway, keys: dict[str, str]
) -> None:
    _, approval_id = await asked()

    async with gateway.with_key(keys["shop"]) as shop, gateway.with_key(keys["clerk"]) as clerk:
        own, stranger = await decide(shop, approval_id), await decide(clerk, approval_id)

    assert (own.status_code, "whoever asks for it does not decide it" in own.text) == (409, True)
    assert (stranger.status_code, "clerk may not decide it; HUB_APPROVERS names those who may" in stranger.text) == (409, True)


async def test_questions_are_listed_by_state_a_page_at_a_time_newest_first(treasurer: httpx.AsyncClient) -> None:
    wanted = [(await asked())[1] for _ in range(5)]
    for approval_id in wanted:
        await decide(treasurer, approval_id, approve=False)
    await asked()

    seen: list[int] = []
    page = (await treasurer.get("/approvals", params={"state": "rejected", "limit": 2})).json()
    while page["cursor"] is not None:
        seen += [one["approvalId"] for one in page["approvals"]]
        page = (await treasurer.get("/approvals", params={"state": "rejected", "limit": 2, "cursor": page["cursor"]})).json()

    assert [*seen, *(one["approvalId"] for one in page["approvals"])] == wanted[::-1]


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/approvals/9999999", None, 404),
        ("POST", "/approvals/9999999/decision", {"approve": True}, 404),
        ("GET", "/approvals/0", None, 422),
        ("GET", "/approvals?state=maybe", None, 422),
        ("GET", "/approvals?limit=201", None, 422),
        ("POST", "/approvals/1/decision", {"approve": "yes"}, 422),
        ("POST", "/approvals/1/decision", {}, 422),
    ],
)
async def test_what_is_not_there_is_404_and_what_makes_no_sense_422(
    treasurer: httpx.AsyncClient, method: str, path: str, body: Any, status: int
) -> None:
    answer = await treasurer.request(method, path, json=body)

    assert answer.status_code == status, answer.text


@pytest.mark.parametrize(
    ("method", "path", "missing"), [("GET", "/approvals", "approvals:read"), ("POST", "/approvals/1/decision", "approvals:decide")]
)
async def test_a_key_for_orders_opens_no_approvals(gateway: Gateway, method: str, path: str, missing: str) -> None:
    async with gateway.with_key(await add_key(f"orders-{method}", ("orders:read", "orders:write"))) as client:
        answer = await client.request(method, path, json={"approve": True})

    assert (answer.status_code, answer.json()["detail"]) == (403, f"this key does not open {missing}")


@pytest.mark.parametrize("name", ["slack:U0ADA", "unattributed (Prefect UI)"])
async def test_no_key_is_called_like_somebody_who_may_decide(hub_database: str, name: str) -> None:
    with pytest.raises(ReservedKeyName):
        await add_key(name)


async def test_the_command_lists_what_waits_and_decides_it_as_its_key(hub: Command) -> None:
    order_id, approval_id = await asked()

    listed, attention = await hub("approvals", "list"), await hub("attention", "list", "--json")
    own = await hub("approvals", "decide", str(approval_id), "--approve", fails=True, key="shop")
    said = await hub("approvals", "decide", str(approval_id), "--reject")
    decided = json.loads(await hub("approvals", "list", "--state", "rejected", "--limit", "1", "--json"))

    assert (order_id in listed, "40.00 USD" in listed, "a scratch" in listed) == (True, True, True)
    assert (
        f"hub approvals decide {approval_id} --approve"
        in {one["what"]: one["then"] for one in json.loads(attention)}[f"refund r-1 of order {order_id}"]
    )
    assert "whoever asks for it does not decide it" in own
    assert said == f"{order_id}: refund r-1 of 40.00 USD is rejected by treasurer\n"
    assert [one["approvalId"] for one in decided["approvals"]] == [approval_id]


async def test_the_command_lists_orders_by_status_page_by_page_and_says_what_no_status_is(hub: Command) -> None:
    placed_here = [await placed() for _ in range(3)]

    first = json.loads(await hub("orders", "list", "--status", "received", "--limit", "2", "--json"))
    table = await hub("orders", "list", "--limit", "2")
    rest = json.loads(await hub("orders", "list", "--status", "received", "--limit", "2", "--cursor", first["cursor"], "--json"))

    assert [one["orderId"] for one in first["orders"] + rest["orders"]][:3] == placed_here[::-1]
    assert (placed_here[-1] in table, "there is more: --cursor " in table) == (True, True)
    assert await hub("orders", "list", "--status", "returned") == "no order is returned\n"
    assert "received" in await hub("orders", "list", "--status", "recieved", fails=True)
    assert "cursor" in await hub("orders", "list", "--cursor", "x", fails=True)
