"""Troubles on demand, the token in front of them, and a sandbox that remembers everything after a kill -9."""

from __future__ import annotations

import asyncio
import base64
import signal
import stat
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.contract.sandbox_process import ROOT, Sandbox, running_sandbox

STRIPE = {"Authorization": "Bearer sk_test_hub"}
SLACK = {"Authorization": "Bearer xoxb-hub"}
SID = "AC" + "0a" * 16
TWILIO = f"Basic {base64.b64encode(f'{SID}:rehearsal'.encode()).decode()}"


@asynccontextmanager
async def http_to(sandbox: Sandbox) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=sandbox.url, timeout=10, trust_env=False) as client:
        yield client


async def pay(sandbox: Sandbox, order: str, key: str | None = None) -> httpx.Response:
    form = {"amount": "700", "currency": "eur", "confirm": "true", "payment_method": "pm_card_visa", "payment_method_types[]": "card"}
    headers = STRIPE | ({"Idempotency-Key": key} if key else {})
    async with http_to(sandbox) as http:
        return await http.post("/stripe/v1/payment_intents", data={**form, "metadata[order_id]": order}, headers=headers)


async def test_a_connection_dropped_before_the_work_leaves_no_trace(sandbox: Sandbox) -> None:
    await sandbox.fault("stripe", "create payment", "drop", match={"subject": "o-before"})
    with pytest.raises(httpx.RemoteProtocolError):
        await pay(sandbox, "o-before", "before")
    assert await sandbox.count("stripe", "charge", "o-before") == 0
    again = await pay(sandbox, "o-before", "before")
    assert (again.status_code, "Idempotent-Replayed" in again.headers) == (200, False)


async def test_a_connection_dropped_after_the_work_hides_a_charge_that_the_key_finds_again(sandbox: Sandbox) -> None:
    await sandbox.fault("stripe", "create payment", "drop", "after", match={"subject": "o-after"})
    with pytest.raises(httpx.RemoteProtocolError):
        await pay(sandbox, "o-after", "after")
    assert await sandbox.count("stripe", "charge", "o-after") == 1
    again = await pay(sandbox, "o-after", "after")
    assert (again.json()["status"], again.headers["Idempotent-Replayed"]) == ("succeeded", "true")
    assert await sandbox.count("stripe", "charge", "o-after") == 1


async def test_a_server_error_after_the_work_is_what_stripe_repeats_under_the_key(sandbox: Sandbox) -> None:
    await sandbox.fault("stripe", "create payment", "status", "after", status=500, match={"subject": "o-500"})
    answers = [await pay(sandbox, "o-500", "five-hundred") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [500, 500]
    assert answers[0].json()["error"]["type"] == "api_error"
    assert answers[1].headers["Idempotent-Replayed"] == "true"
    assert await sandbox.count("stripe", "charge", "o-500") == 1


async def test_too_many_requests_is_not_kept_and_names_the_wait(sandbox: Sandbox) -> None:
    await sandbox.fault("stripe", "create payment", "status", status=429, retry_after=3, match={"subject": "o-429"})
    limited = await pay(sandbox, "o-429", "four-two-nine")
    assert (limited.status_code, limited.headers["Retry-After"]) == (429, "3")
    assert (await pay(sandbox, "o-429", "four-two-nine")).status_code == 200


async def test_garbage_conflicts_and_mismatches_come_on_demand(sandbox: Sandbox) -> None:
    await sandbox.fault("stripe", "create payment", "garbage", "after", match={"subject": "o-odd"})
    await sandbox.fault("stripe", "create payment", "conflict", match={"subject": "o-odd"})
    await sandbox.fault("stripe", "create payment", "idempotency_error", match={"subject": "o-odd"})
    conflict, mismatch, garbage = [await pay(sandbox, "o-odd", "odd") for _ in range(3)]
    assert (conflict.status_code, conflict.json()["error"]["code"]) == (409, "idempotency_key_in_use")
    assert (mismatch.status_code, mismatch.json()["error"]["type"]) == (400, "idempotency_error")
    assert garbage.status_code == 200
    with pytest.raises(ValueError, match="decode"):
        garbage.json()
    assert (await pay(sandbox, "o-odd", "odd")).json()["status"] == "succeeded"
    assert await sandbox.count("stripe", "charge", "o-odd") == 1


async def test_an_answer_that_is_too_late_is_still_a_charge(sandbox: Sandbox) -> None:
    await sandbox.fault("stripe", "create payment", "delay", "after", seconds=5, match={"subject": "o-slow"})
    waiting = asyncio.create_task(pay(sandbox, "o-slow", "slow"))
    await sandbox.until_in_flight("stripe", "create payment", worked=True)
    assert await sandbox.count("stripe", "charge", "o-slow") == 1
    waiting.cancel()
    await asyncio.wait([waiting])


async def test_a_call_hangs_until_it_is_let_go(sandbox: Sandbox) -> None:
    fault = await sandbox.fault("slack", "post message", "hang", times=None)
    async with http_to(sandbox) as http:
        body = {"channel": "C0TEAM", "text": "hello"}
        for count in (1, 2):
            posting = asyncio.create_task(http.post("/slack/api/chat.postMessage", json=body, headers=SLACK))
            await sandbox.until_in_flight("slack", "post message")
            assert await sandbox.count("slack", "message") == count - 1
            await sandbox.release(fault)
            assert (await posting).json()["ok"]
            assert await sandbox.count("slack", "message") == count
    await sandbox.clear_faults()
    assert await sandbox.in_flight("slack") == 0


async def test_a_fault_hits_its_subject_its_times_and_is_in_the_log(sandbox: Sandbox) -> None:
    fault = await sandbox.fault("stripe", "*", "status", status=503, times=2, match={"subject": "o-twice"})
    assert [(await pay(sandbox, order)).status_code for order in ("o-other", "o-twice", "o-twice", "o-twice")] == [200, 503, 503, 200]
    assert [one["fired"] for one in await sandbox.faults() if one["id"] == fault] == [2]
    seen = [one for one in await sandbox.requests("stripe", "create payment") if one["subject"] == "o-twice"]
    assert [(one["status"], bool(one["fault"]), one["worked"]) for one in seen] == [
        (503, True, False),
        (503, True, False),
        (200, False, True),
    ]


async def test_each_provider_fails_in_its_own_words(sandbox: Sandbox) -> None:
    calls = {
        "sendgrid": ("read scopes", "/sendgrid/v3/scopes", "Bearer SG.x", {"errors"}),
        "shippo": ("list carriers", "/shippo/carrier_accounts", "ShippoToken shippo_test_x", {"detail"}),
        "slack": ("auth test", "/slack/api/auth.test", "Bearer xoxb-x", {"ok", "error"}),
        "twilio": ("list texts", f"/twilio/2010-04-01/Accounts/{SID}/Messages.json", TWILIO, {"code", "message", "more_info", "status"}),
        "profiles": ("find profiles", "/profiles?email=nobody@example.com", "Bearer profiles_x", {"error"}),
    }
    async with http_to(sandbox) as http:
        for provider, (operation, path, key, fields) in calls.items():
            await sandbox.fault(provider, operation, "status", status=429)
            answer = await http.get(path, headers={"Authorization": key})
            assert (answer.status_code, set(answer.json())) == (429, fields)
            assert (await http.get(path, headers={"Authorization": key})).status_code == 200


@pytest.mark.parametrize(
    ("order", "told"),
    [
        ({"provider": "stripe", "operation": "charge", "what": "drop"}, "create payment"),
        ({"provider": "paypal", "operation": "create payment", "what": "drop"}, "sendgrid"),
        ({"provider": "stripe", "operation": "create payment", "what": "explode"}, "hang"),
        ({"provider": "stripe", "operation": "create payment", "what": "delay"}, "seconds"),
        ({"provider": "slack", "operation": "post message", "what": "conflict"}, "stripe"),
        ({"provider": "stripe", "operation": "create payment", "what": "drop", "colour": "red"}, "colour"),
    ],
)
async def test_a_fault_that_makes_no_sense_is_refused_with_what_would(sandbox: Sandbox, order: dict[str, Any], told: str) -> None:
    async with http_to(sandbox) as http:
        refused = await http.post("/_sandbox/faults", json=order, headers={"Authorization": f"Bearer {sandbox.token}"})
    assert refused.status_code == 422
    assert told in refused.text


async def test_control_is_for_those_with_the_token_and_the_page_for_everybody_at_this_machine(sandbox: Sandbox) -> None:
    await pay(sandbox, "o-shown")
    async with http_to(sandbox) as http:
        for method, path in (("GET", "effects"), ("GET", "requests"), ("POST", "faults"), ("POST", "reset"), ("POST", "keys")):
            for shown in (b"", b"Bearer wrong", "Bearer é".encode()):
                assert (await http.request(method, f"/_sandbox/{path}", headers={b"Authorization": shown})).status_code == 401
        assert (await http.get("/_sandbox/health")).json() == {"ok": True}
        page = (await http.get("/")).text
    assert "stripe.charge" in page
    assert "o-shown" in page
    assert sandbox.token not in page


async def test_a_process_is_killed_only_when_that_was_allowed(tmp_path: Path) -> None:
    victim = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)  # noqa: ASYNC220 - it only waits to be killed
    pid_file = tmp_path / "worker.pid"
    pid_file.write_text(str(victim.pid))
    try:
        async with running_sandbox(tmp_path / "home", allow_kill={"worker": pid_file}) as sandbox:
            with pytest.raises(ValueError, match="403"):
                await sandbox.fault("stripe", "create payment", "kill", role="gateway")
            await sandbox.fault("stripe", "create payment", "kill", "after", role="worker")
            with pytest.raises(httpx.RemoteProtocolError):
                await pay(sandbox, "o-crash")
            assert await asyncio.to_thread(victim.wait, 5) == -signal.SIGKILL
            assert await sandbox.count("stripe", "charge", "o-crash") == 1
    finally:
        victim.kill()
        victim.communicate()


async def test_everything_survives_a_kill_of_the_sandbox_itself(tmp_path: Path) -> None:
    async with running_sandbox(tmp_path) as first:
        paid = await pay(first, "o-kept", "kept")
        fault = await first.fault("slack", "post message", "drop")
        await first.revoke("sendgrid", "SG.gone")
        await first.kill()
    async with running_sandbox(tmp_path, port=first.port, token=first.token) as second:
        assert (second.url, second.pid != first.pid) == (first.url, True)
        again = await pay(second, "o-kept", "kept")
        assert (again.json()["id"], again.headers["Idempotent-Replayed"]) == (paid.json()["id"], "true")
        assert await second.count("stripe", "charge") == 1
        assert [one["id"] for one in await second.faults()] == [fault]
        async with http_to(second) as http:
            assert (await http.get("/sendgrid/v3/scopes", headers={"Authorization": "Bearer SG.gone"})).status_code == 401
        await second.reset()
        assert await second.effects() == await second.faults() == await second.requests() == []
        assert "Idempotent-Replayed" not in (await pay(second, "o-kept", "kept")).headers
        assert [effect["n"] for effect in await second.effects()] == [1]


async def test_a_killed_sandbox_has_charged_and_answered_under_the_key_or_done_neither(tmp_path: Path) -> None:
    async with running_sandbox(tmp_path, latency={"stripe": 3}) as first:
        paying = [asyncio.create_task(pay(first, f"o-{n}", f"key-{n}")) for n in range(20)]
        deadline = time.monotonic() + 10
        while not await first.count("stripe", "charge"):
            assert time.monotonic() < deadline
        await first.kill()
        await asyncio.wait(paying)
        for task in paying:
            task.exception()
    async with running_sandbox(tmp_path) as second:
        charged = {effect["subject"] for effect in await second.effects("stripe", "charge")}
        answers = [await pay(second, f"o-{n}", f"key-{n}") for n in range(20)]
        assert {f"o-{n}" for n, answer in enumerate(answers) if "Idempotent-Replayed" in answer.headers} == charged
        assert await second.count("stripe", "charge") == 20


async def test_a_control_token_is_made_once_for_its_owner_only(tmp_path: Path) -> None:
    code = "import pathlib, sys; from sandbox.application import control_token; print(control_token(pathlib.Path(sys.argv[1])))"
    said = [subprocess.check_output([sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, env={"PATH": ""}) for _ in range(2)]  # noqa: ASYNC221, S603 - two short runs of our own code
    assert said[0] == said[1]
    assert len(said[0].strip()) >= 32
    assert stat.S_IMODE((tmp_path / "token").stat().st_mode) == 0o600
