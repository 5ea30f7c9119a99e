"""The doors for webhooks in a whole hub: open by themselves, open after a rotation, heard by Prefect, and looked after by the doctor."""

from __future__ import annotations

import asyncio
import json
import secrets
import sys
from datetime import UTC, datetime

from deployments.layout import PROJECT
from deployments.webhook_secrets import SANDBOX_FILE
from tests.contract.signed_calls import Call, as_json, custom_call, stripe_call
from tests.journeys.hub_under_test import Hub, until

WHAT_OTHER_TESTS_LEAVE = ("notices", "reconciliation")


def signing(hub: Hub) -> dict[str, str]:
    return dict(json.loads((hub.stack.home / "secrets" / SANDBOX_FILE).read_text()))


def stripe_event(secret: str) -> Call:
    return stripe_call(as_json({"id": f"evt_{secrets.token_hex(8)}", "type": "product.created", "data": {"object": {}}}), secret=secret)


async def status_of(hub: Hub, call: Call) -> int:
    return (await hub.gateway.post(call.target, content=call.body, headers=dict(call.headers))).status_code


async def events(hub: Hub, since: datetime) -> int:
    occurred = {"since": since.isoformat()}
    body = {"filter": {"event": {"name": ["hub.notices.kept"]}, "resource": {"id": ["hub.inbox"]}, "occurred": occurred}}
    return int((await hub.prefect.post("/events/filter", json=body)).raise_for_status().json()["total"])


async def test_what_was_kept_reaches_prefect_as_an_event(hub: Hub) -> None:
    """Not each time: what a sweep or a run that watches the inbox has handled already needs no nudge."""
    began = datetime.now(UTC)
    assert await status_of(hub, custom_call(as_json({"type": "noticed", "data": {}}), secret=signing(hub)["custom"])) == 202

    async def heard() -> bool:
        await hub.until_nobody_watches_the_inbox()
        assert await status_of(hub, stripe_event(signing(hub)["stripe"])) == 202
        return await events(hub, began) > 0

    await until(heard, seconds=40, what=lambda: "the event")


async def test_a_rotated_secret_counts_within_half_a_minute_and_the_one_before_it_stays_valid(hub: Hub) -> None:
    old, new = signing(hub)["stripe"], f"whsec_rehearsal_{secrets.token_hex(16)}"
    document = (await hub.prefect.get("/block_types/slug/hub-stripe-account/block_documents/name/stripe")).raise_for_status().json()
    change = {"data": {"webhook_secret": new, "previous_webhook_secret": old}, "merge_existing_data": True}
    assert await status_of(hub, stripe_event(new)) == 401

    (await hub.prefect.patch(f"/block_documents/{document['id']}", json=change)).raise_for_status()

    async def counts() -> bool:
        return await status_of(hub, stripe_event(new)) == 202

    await until(counts, seconds=40, what=lambda: "the new secret to count")
    assert await status_of(hub, stripe_event(old)) == 202


async def test_the_doctor_warns_of_a_token_in_place_of_a_signature_and_finds_the_rest_well(hub: Hub) -> None:
    document = (await hub.prefect.get("/block_types/slug/hub-shippo-account/block_documents/name/shippo")).raise_for_status().json()
    for token_mode in (True, False):
        change = {"data": {"webhook_token_mode": token_mode}, "merge_existing_data": True}
        (await hub.prefect.patch(f"/block_documents/{document['id']}", json=change)).raise_for_status()
        said = await doctors_words(hub)
        assert ("ask Shippo for HMAC" in said["webhooks"]) == token_mode

    assert "stripe" in said["webhooks"]
    assert {name: line for name, line in said.items() if not line.startswith("ok") and name not in WHAT_OTHER_TESTS_LEAVE} == {}
    assert {"database", "Prefect's version", "Prefect's settings", "results", "clocks", "automations", "payment audit"} <= said.keys()


async def doctors_words(hub: Hub) -> dict[str, str]:
    """What `hub doctor` says, by the name of the check."""
    command = ("-c", "from deployments.command_line import app; app()", "doctor")
    process = await asyncio.create_subprocess_exec(
        sys.executable, *command, env=hub.stack.environment, cwd=PROJECT, stdout=asyncio.subprocess.PIPE
    )
    said, _ = await process.communicate()
    return {line[8:].partition(": ")[0].strip(): line for line in said.decode().splitlines()}
