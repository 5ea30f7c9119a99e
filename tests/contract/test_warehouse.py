"""The warehouse is told by signed messages, and takes each once."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
import pytest_asyncio

from blocks.warehouse import Warehouse
from hub.errors import Misconfigured, OutcomeUnknown, Refused
from hub.pick_tickets import PickLine, PickTicket, TicketCancellation
from tests.contract.account_kit import (
    TROUBLES,
    Trouble,
    fails,
    gives_up_on_a_slow_answer,
    keeps_the_send_window,
    long_ago,
    shares_one_pool,
    survives,
    tells_that_nobody_listens,
)
from tests.contract.sandbox_process import WAREHOUSE_SECRET, Sandbox

KEY = "3f1c0000-0000-4000-8000-000000000001:order:o-1:pick-ticket:1"
CANCELLATION = KEY.replace("pick-ticket", "cancel-pick-ticket")
NOW = datetime(2026, 11, 22, tzinfo=UTC)
OTHER_SECRET = "whsec_cmVoZWFyc2FsLW9mLXNvbWVib2R5LWVsc2U="


@pytest_asyncio.fixture(loop_scope="session")
async def warehouse(sandbox: Sandbox) -> Warehouse:
    await sandbox.reset()
    return an_account(f"{sandbox.url}/warehouse")


def an_account(url: str, secret: str = WAREHOUSE_SECRET, timeout_seconds: float = 5) -> Warehouse:
    return Warehouse(api_key=secret, base_url=url, timeout_seconds=timeout_seconds)


def a_ticket(**changes: Any) -> PickTicket:
    fields = {"lines": (PickLine(product_id="prod-123", quantity=2),), "tracking_number": "9205", "label_url": "https://x/l.pdf"}
    return PickTicket(**{"order_id": "o-1", "at": NOW, **fields, **changes})


def no_ticket() -> TicketCancellation:
    return TicketCancellation(order_id="o-1", ticket_id=KEY, at=NOW)


async def test_a_ticket_says_what_to_pack_and_is_found_by_its_id(sandbox: Sandbox, warehouse: Warehouse) -> None:
    assert await warehouse.find_pick_ticket(a_ticket(), key=KEY, since=long_ago()) is None

    taken = await warehouse.send_pick_ticket(a_ticket(), key=KEY)

    assert taken.ticket_id == KEY
    assert await warehouse.find_pick_ticket(a_ticket(), key=KEY, since=long_ago()) == taken
    (ticket,) = await sandbox.objects("warehouse", "pick_ticket")
    assert ticket["lines"] == [{"productId": "prod-123", "quantity": 2}]
    assert (ticket["orderId"], ticket["trackingNumber"], ticket["labelUrl"]) == ("o-1", "9205", "https://x/l.pdf")
    assert [effect["subject"] for effect in await sandbox.effects("warehouse", "pick_ticket")] == ["o-1"]


async def test_the_same_message_again_is_the_same_ticket(sandbox: Sandbox, warehouse: Warehouse) -> None:
    for _ in range(3):
        await warehouse.send_pick_ticket(a_ticket(), key=KEY)

    assert await sandbox.count("warehouse", "pick_ticket") == 1


async def test_a_ticket_is_cancelled_once(sandbox: Sandbox, warehouse: Warehouse) -> None:
    await warehouse.send_pick_ticket(a_ticket(), key=KEY)

    for _ in range(2):
        assert (await warehouse.cancel_pick_ticket(no_ticket(), key=CANCELLATION)).ticket_id == KEY

    assert await sandbox.count("warehouse", "pick_ticket_cancelled", "o-1") == 1


async def test_what_the_warehouse_does_not_have_and_what_has_left_it_are_refusals(sandbox: Sandbox, warehouse: Warehouse) -> None:
    wrong = a_ticket(lines=(PickLine(product_id="unheard-of", quantity=1),))
    refusal = await fails(lambda: warehouse.send_pick_ticket(wrong, key=KEY), Refused)
    assert isinstance(refusal, Refused)
    assert refusal.code == "unknown_product"

    await warehouse.send_pick_ticket(a_ticket(), key=KEY)
    await sandbox.world("events/custom", type="picked_up", data={"orderId": "o-1"})
    refusal = await fails(lambda: warehouse.cancel_pick_ticket(no_ticket(), key=CANCELLATION), Refused)
    assert isinstance(refusal, Refused)
    assert refusal.code == "handed_over"


async def test_who_signs_with_another_secret_is_not_believed(sandbox: Sandbox) -> None:
    stranger = an_account(f"{sandbox.url}/warehouse", OTHER_SECRET)
    await sandbox.reset()

    for verb in (lambda: stranger.send_pick_ticket(a_ticket(), key=KEY), stranger.check):
        await fails(verb, Misconfigured)

    assert await sandbox.count("warehouse", "pick_ticket") == 0


async def test_an_answer_about_another_message_decides_nothing(sandbox: Sandbox, warehouse: Warehouse) -> None:
    await sandbox.fault("warehouse", "take pick ticket", "garbage", body='{"webhookId": "another"}')
    await fails(lambda: warehouse.send_pick_ticket(a_ticket(), key=KEY), OutcomeUnknown)

    other = '{"pickTickets": [{"webhookId": "another", "status": "open"}]}'
    await sandbox.fault("warehouse", "find pick ticket", "garbage", body=other)
    await fails(lambda: warehouse.find_pick_ticket(a_ticket(), key=KEY, since=long_ago()), OutcomeUnknown)


@pytest.mark.parametrize("trouble", TROUBLES)
async def test_trouble_becomes_an_error_that_says_what_may_have_happened(sandbox: Sandbox, trouble: Trouble) -> None:
    await sandbox.reset()
    called = ("warehouse", "take pick ticket", "pick_ticket")

    await survives(
        trouble,
        sandbox,
        called,
        lambda limit: an_account(f"{sandbox.url}/warehouse", timeout_seconds=limit).send_pick_ticket(a_ticket(), key=KEY),
    )


async def test_its_clients_are_shared_and_closed(sandbox: Sandbox) -> None:
    url = f"{sandbox.url}/warehouse"
    await shares_one_pool(lambda: an_account(url), lambda: an_account(url, OTHER_SECRET), lambda: an_account(url, timeout_seconds=4))


async def test_a_refused_connection_has_sent_nothing() -> None:
    await tells_that_nobody_listens(lambda url: lambda: an_account(url).send_pick_ticket(a_ticket(), key=KEY))


async def test_nothing_is_written_once_the_send_window_is_over(sandbox: Sandbox, warehouse: Warehouse) -> None:
    await keeps_the_send_window(sandbox, "warehouse", lambda: warehouse.send_pick_ticket(a_ticket(), key=KEY))


async def test_a_body_that_drips_is_given_up_on() -> None:
    await gives_up_on_a_slow_answer(
        lambda url: lambda: an_account(url, timeout_seconds=1).send_pick_ticket(a_ticket(), key=KEY), timeout_seconds=1
    )
