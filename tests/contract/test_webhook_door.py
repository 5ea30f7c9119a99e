"""The door for webhooks: what is genuine is kept once before it is answered, everything else leaves no trace but a number."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from urllib.parse import urlencode

import pytest
import pytest_asyncio
from sqlmodel import select

from hub.database import transaction
from hub.inbox_tables import RefusedDeliveryRow
from hub.notices import NoticeState
from tests.contract.gateway_process import Gateway
from tests.contract.signed_calls import PROVIDERS, as_json, fresh, kept_notices, open_door, send, sendgrid_call, slack_call, twilio_call


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def gateway(hub_database: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Gateway]:
    async with open_door(tmp_path_factory.mktemp("door"), hub_database) as running:
        yield running


async def of_event(event_id: str) -> list[object]:
    return [notice for notice in await kept_notices() if notice.event_id == event_id]


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_a_genuine_delivery_is_kept_exactly_as_it_came_and_a_repetition_changes_nothing(gateway: Gateway, provider: str) -> None:
    call = fresh(provider)

    first, again = await send(gateway, call), await send(gateway, call)

    assert (first.status_code, first.json()) == (202, {"kept": 1, "seenBefore": 0})
    assert (again.status_code, again.json()) == (202, {"kept": 0, "seenBefore": 1})
    newest = (await kept_notices())[-1]
    assert (newest.provider, newest.state) == (provider, NoticeState.KEPT)
    if provider not in ("sendgrid", "twilio"):  # a batch is split, a form becomes JSON
        assert newest.content == call.body


async def test_one_broken_element_of_a_batch_harms_nobody(gateway: Gateway) -> None:
    good = [{"event": kind, "sg_message_id": "batch-1", "email": "ann@example.com", "timestamp": 7} for kind in ("processed", "delivered")]
    batch = [good[0], "nonsense", {"event": 3}, {"event": "open"}, good[1], good[1]]

    answer = await send(gateway, sendgrid_call(as_json(batch)))

    assert answer.json() == {"kept": 5, "seenBefore": 1}
    kept = (await kept_notices())[-5:]
    assert sorted((notice.kind, notice.state) for notice in kept) == [
        ("delivered", NoticeState.KEPT),
        ("processed", NoticeState.KEPT),
        *[("unreadable", NoticeState.FAILED)] * 3,
    ]


async def test_what_is_genuine_and_cannot_be_read_is_kept_as_failed_and_answered(gateway: Gateway) -> None:
    answer = await send(gateway, sendgrid_call(b"\xff\xfe no text"))
    assert answer.status_code == 401  # SendGrid signs text

    call = fresh("github")
    answer = await send(gateway, replace(call, body=b""))
    assert answer.status_code == 401

    answer = await send(gateway, slack_call(b"{nonsense"))
    assert (answer.status_code, answer.json()) == (202, {"kept": 1, "seenBefore": 0})
    assert (await kept_notices())[-1].state == NoticeState.FAILED


async def test_slack_hears_its_challenge_and_nothing_is_kept(gateway: Gateway) -> None:
    before = len(await kept_notices())

    answer = await send(gateway, slack_call(as_json({"type": "url_verification", "token": "t", "challenge": "3eZbrw1aB"})))

    assert (answer.status_code, answer.json()) == (200, {"challenge": "3eZbrw1aB"})
    assert len(await kept_notices()) == before


async def test_a_click_in_slack_is_answered_with_nothing_and_kept_as_json(gateway: Gateway) -> None:
    click = {
        "type": "block_actions",
        "team": {"id": "T1"},
        "user": {"id": "U1"},
        "container": {"message_ts": "1.1"},
        "actions": [{"action_id": "approve", "value": "o-1", "action_ts": "2.2"}],
    }
    call = slack_call(urlencode({"payload": json.dumps(click)}).encode())

    answers = [await send(gateway, call), await send(gateway, call)]

    assert [(answer.status_code, answer.content) for answer in answers] == [(200, b"")] * 2
    kept = [notice for notice in await kept_notices() if notice.kind == "block_actions"]
    assert [json.loads(notice.content or b"") for notice in kept] == [click]


async def test_twilios_callback_brings_back_the_effect_that_its_url_carried(gateway: Gateway) -> None:
    fields = {"MessageSid": "SMeffect", "MessageStatus": "undelivered", "ErrorCode": "30003"}
    await send(gateway, twilio_call(fields, query="effect=hub%3Aorder%3Ao-1%3Asms%3A1"))

    notice = (await kept_notices())[-1]

    assert (notice.kind, json.loads(notice.content or b"")) == ("undelivered", {**fields, "effect": "hub:order:o-1:sms:1"})


@pytest.mark.parametrize(
    ("method", "path", "code"), [("POST", "/webhooks/nobody", 404), ("POST", "/webhooks/", 404), ("GET", "/webhooks/stripe", 405)]
)
async def test_other_doors_do_not_exist(gateway: Gateway, method: str, path: str, code: int) -> None:
    assert (await gateway.http.request(method, path)).status_code == code


async def test_a_body_above_one_mebibyte_is_refused_before_anybody_checks_it(gateway: Gateway) -> None:
    assert (await send(gateway, slack_call(b"{" + b" " * 1024 * 1024))).status_code == 413


async def test_many_that_come_at_once_are_each_answered_with_what_came_of_them(gateway: Gateway) -> None:
    calls = [fresh(provider) for provider in PROVIDERS for _ in range(10)]

    answers = await asyncio.gather(*(send(gateway, call) for call in [*calls, *calls]))

    assert {answer.status_code for answer in answers} == {202}
    assert sum(answer.json()["kept"] for answer in answers) == len(calls)
    assert sum(answer.json()["seenBefore"] for answer in answers) == len(calls)


async def test_refused_deliveries_are_counted_and_nothing_else_is_kept_of_them(gateway: Gateway) -> None:
    before = await kept_notices()
    forged = [fresh("stripe").with_header("Stripe-Signature", "t=1,v1=forged") for _ in range(50)]

    answers = await asyncio.gather(*(send(gateway, call) for call in forged))

    assert {answer.status_code for answer in answers} == {401}
    assert await kept_notices() == before
    await until(lambda: refused("stripe"), 50)


async def until(number: Callable[[], Awaitable[int]], wanted: int, *, seconds: float = 5) -> None:
    """Return once the number is the wanted one."""
    deadline = time.monotonic() + seconds
    while (found := await number()) != wanted:
        assert time.monotonic() < deadline, f"{found} instead of {wanted}"
        await asyncio.sleep(0.05)


async def refused(provider: str) -> int:
    async with transaction() as session:
        row = (await session.exec(select(RefusedDeliveryRow).where(RefusedDeliveryRow.provider == provider))).one_or_none()
    return 0 if row is None else row.count
