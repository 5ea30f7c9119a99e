"""One text to many: everybody who wants it gets it once, whatever dies in between; nobody else does, and nobody is hurried."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.journeys.hub_under_test import Hub, until
from tests.journeys.signup_cells import NO_SUCH_RECIPIENT
from tests.journeys.signup_kit import place, signup, until_reported

pytestmark = pytest.mark.timeout(300)
BULLETIN = "send-bulletin/hub"
WORDS = {"subject_line": "What is new", "text": "There is <a lot> to tell.\n\nMore of it next month."}
READERS = 8
REFUSED: dict[str, Any] = {"status": 400, "body": NO_SUCH_RECIPIENT}
NO_PAYMENT: dict[str, Any] = {"initialPayment": None}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def readers(hub: Hub) -> AsyncIterator[list[str]]:
    """Sign-ups that want the newsletter; beside them one that does not, and one that did not go well. Afterwards nobody wants it."""
    ids = [f"s-reader-{number}" for number in range(1, READERS + 1)]
    await hub.sandbox.fault("sendgrid", "send mail", "status", times=None, match={"subject": "s-partial-reader"}, **REFUSED)
    async with hub.database() as database:
        await database.execute("UPDATE signups SET request = jsonb_set(request, '{preferences,newsletter}', 'false')")
    await asyncio.gather(
        *(place(hub, signup_id, **NO_PAYMENT) for signup_id in (*ids, "s-partial-reader")),
        place(hub, "s-no-reader", **NO_PAYMENT, preferences={"newsletter": False, "sms_notifications": False}),
    )
    for signup_id in (*ids, "s-no-reader"):
        await until_reported(hub, signup_id, "COMPLETE")
    await until_reported(hub, "s-partial-reader", "PARTIAL")
    await hub.sandbox.clear_faults()
    yield ids
    async with hub.database() as database:
        await database.execute("UPDATE signups SET request = jsonb_set(request, '{preferences,newsletter}', 'false')")


async def test_everybody_who_wants_it_gets_it_once_and_the_run_says_so(hub: Hub, readers: list[str]) -> None:
    first = await hub.run({"bulletin_id": "b-first", **WORDS}, deployment=BULLETIN)
    again = await hub.run({"bulletin_id": "b-first", **WORDS}, deployment=BULLETIN)

    assert [run["state"]["name"] for run in (first, again)] == ["Completed", "Completed"]
    assert await received(hub, "b-first") == dict.fromkeys(readers, 1)
    assert await table(hub, first) == dict.fromkeys(readers, "sent")
    assert await table(hub, again) == dict.fromkeys(readers, "sent before")
    views = [await signup(hub, signup_id) for signup_id in readers]
    assert [(view["status"], view["errors"], view["resumeAt"]) for view in views] == [("COMPLETE", [], None)] * READERS
    assert {sent["type"] for view in views for sent in view["notificationsSent"]} == {"welcome"}


async def test_another_text_under_the_same_id_is_refused_and_nobody_gets_it(hub: Hub, readers: list[str]) -> None:
    await hub.run({"bulletin_id": "b-taken", **WORDS}, deployment=BULLETIN)

    other = await hub.run({"bulletin_id": "b-taken", **WORDS, "text": "Something else."}, deployment=BULLETIN)

    assert other["state"]["type"] == "FAILED"
    assert "bulletin b-taken is taken by one with other content; it differs in text" in other["state"]["message"]
    assert await received(hub, "b-taken") == dict.fromkeys(readers, 1)


async def test_no_more_are_under_way_than_was_said(hub: Hub, readers: list[str]) -> None:
    mine = {"containing": "bulletin.b-limited"}
    await hub.sandbox.fault("sendgrid", "send mail", "delay", seconds=0.5, times=None, match=mine)
    run_id = await hub.start({"bulletin_id": "b-limited", **WORDS, "at_once": 3}, deployment=BULLETIN)
    most = 0

    async def over() -> bool:
        nonlocal most
        most = max(most, len(await hub.sandbox.inside("sendgrid", "send mail")))
        return len(await received(hub, "b-limited")) == len(readers)

    await until(over, seconds=60, what=lambda: "all readers to be sent it")
    await hub.until_over(run_id)
    await hub.sandbox.clear_faults()
    assert most == 3


async def test_a_run_that_dies_half_way_is_started_again_and_nobody_gets_it_twice(hub: Hub, readers: list[str]) -> None:
    """When it is killed some readers have it, some mails are sent and unanswered, and some readers were not begun."""
    mine = {"containing": "bulletin.b-half-way"}
    run_id = await hub.start({"bulletin_id": "b-half-way", **WORDS, "at_once": 2}, deployment=BULLETIN)

    async def some_have_it() -> bool:
        return len(await received(hub, "b-half-way")) >= 2

    await hub.sandbox.fault("sendgrid", "send mail", "delay", when="after", seconds=10, times=None, match=mine)
    await until(some_have_it, seconds=60, what=lambda: "some readers to have it")
    await hub.sandbox.until_in_flight("sendgrid", "send mail", count=1, worked=True, seconds=30)
    await hub.kill_workers()
    await hub.sandbox.clear_faults()
    had_it = await received(hub, "b-half-way")
    dead = await hub.until_over(run_id, seconds=60)

    async def everybody_has_it() -> bool:
        again = await hub.run({"bulletin_id": "b-half-way", **WORDS}, deployment=BULLETIN, seconds=120)
        return set((await table(hub, again)).values()) == {"sent before"}

    await until(everybody_has_it, seconds=120, what=lambda: "everybody to have it")

    assert dead["state"]["type"] == "CRASHED"
    assert 0 < len(had_it) < len(readers)
    assert await received(hub, "b-half-way") == dict.fromkeys(readers, 1)


async def test_what_was_surely_not_sent_is_made_up_for_by_the_sign_up_itself(hub: Hub, readers: list[str]) -> None:
    mine = {"subject": readers[0], "containing": "bulletin.b-later"}
    await hub.sandbox.fault("sendgrid", "send mail", "status", status=429, match=mine)

    run = await hub.run({"bulletin_id": "b-later", **WORDS}, deployment=BULLETIN)

    assert (await table(hub, run))[readers[0]] == "waits"

    async def made_up_for() -> bool:
        return await received(hub, "b-later") == dict.fromkeys(readers, 1)

    await until(made_up_for, seconds=60, what=lambda: "the sign-up's own run")


async def received(hub: Hub, bulletin_id: str) -> dict[str, int]:
    """How many mails of the bulletin SendGrid has taken, by sign-up."""
    counted: dict[str, int] = {}
    for effect in await hub.sandbox.effects(provider="sendgrid", kind="mail"):
        if f":bulletin.{bulletin_id}:" in json.dumps(effect):
            counted[effect["subject"]] = counted.get(effect["subject"], 0) + 1
    return counted


async def table(hub: Hub, run: dict[str, Any]) -> dict[str, str]:
    """What the run's table says came of each reader."""
    asked = {"artifacts": {"flow_run_id": {"any_": [run["id"]]}}}
    found = (await hub.prefect.post("/artifacts/filter", json=asked)).raise_for_status().json()
    rows = json.loads(next(artifact["data"] for artifact in found if artifact["type"] == "table"))
    return {row["sign-up"]: row["status"] for row in rows}
