"""What is not surely the provider gets 401 and leaves nothing behind, over real HTTP; and nothing at all gets a 500."""

from __future__ import annotations

import secrets
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace

import httpx
import pytest
import pytest_asyncio
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.contract.gateway_process import Gateway
from tests.contract.signed_calls import (
    PROVIDERS,
    SECRETS,
    SIGNATURE_HEADERS,
    Call,
    as_json,
    custom_call,
    fresh,
    github_call,
    kept_notices,
    open_door,
    send,
    sendgrid_call,
    shippo_call,
    slack_call,
    stripe_call,
    twilio_call,
)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def gateway(hub_database: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Gateway]:
    async with open_door(tmp_path_factory.mktemp("forged"), hub_database) as running:
        yield running


def forgeries(provider: str) -> dict[str, Call]:
    call = fresh(provider)
    middle = len(call.body) // 2
    tricks = {
        "one byte of the body changed": replace(call, body=call.body[:middle] + bytes([call.body[middle] ^ 1]) + call.body[middle + 1 :]),
        "body turned round": replace(call, body=call.body[::-1]),
        "a byte more": replace(call, body=call.body + b"\n"),
        "another body": replace(call, body=fresh(provider).body),
        "no body": replace(call, body=b""),
        "no UTF-8": replace(call, body=b"\xff\xfe" + call.body),
        "nothing shown": replace(call, headers=()),
    }
    for name, value in call.headers:
        tricks[f"{name} missing"] = call.without(name)
        tricks[f"{name} twice"] = call.with_twice(name)
        tricks[f"{name} not ASCII"] = call.with_header(name, value + "é")
        tricks[f"{name} empty"] = call.with_header(name, "")
        if name not in ("X-GitHub-Event", "X-GitHub-Delivery"):  # not signed
            tricks[f"{name} turned round"] = call.with_header(name, value[::-1])
    return tricks


CASES = [pytest.param(provider, trick, id=f"{provider}: {trick}") for provider in PROVIDERS for trick in forgeries(provider)]


@pytest.mark.parametrize(("provider", "trick"), CASES)
async def test_a_forgery_is_refused_and_nothing_is_kept(gateway: Gateway, provider: str, trick: str) -> None:
    before = len(await kept_notices())

    answer = await send(gateway, forgeries(provider)[trick])

    assert (answer.status_code, answer.json()) == (401, {"detail": "this is not surely the provider"})
    assert len(await kept_notices()) == before


@pytest.mark.parametrize("seconds", [-305, 305, -86_400, 86_400 * 365])
@pytest.mark.parametrize("signed", [stripe_call, slack_call, custom_call])
async def test_a_stale_delivery_and_one_from_the_future_are_refused(gateway: Gateway, signed: Callable[..., Call], seconds: int) -> None:
    call = signed(as_json({"id": "evt_old", "type": "event_callback"}), at=time.time() + seconds)

    assert (await send(gateway, call)).status_code == 401


@pytest.mark.parametrize("signed", [sendgrid_call, shippo_call])
async def test_where_a_repetition_may_bear_its_first_date_an_old_one_is_kept(gateway: Gateway, signed: Callable[..., Call]) -> None:
    body = {"event": "transaction_created", "sg_message_id": "old", "timestamp": 5, "data": {"object_id": secrets.token_hex(8)}}

    assert (await send(gateway, signed(as_json(body), at=time.time() - 86_400))).status_code == 202


async def test_github_delivers_again_under_the_old_id_and_it_is_kept_once(gateway: Gateway) -> None:
    call = github_call(as_json({"action": "created"}), event="deployment_status", guid="0b989ba4-242f-11e5-81e1-c7b6966d2516")

    answers = [await send(gateway, call), await send(gateway, call)]

    assert [answer.json()["kept"] for answer in answers] == [1, 0]


json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=10)),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=8), inner, max_size=4)),
    max_leaves=8,
)
COMMON = ["id", "type", "event", "event_id", "data", "object_id", "actions", "user", "team", "payload", "message", "container", "challenge"]
OURS = ["carrier", "tracking_number", "tracking_status", "sg_message_id", "email", "timestamp", "MessageSid", "MessageStatus"]
words = st.sampled_from([*COMMON, *OURS])
kinds = st.sampled_from(["event_callback", "block_actions", "url_verification", "track_updated", "delivered", "a b", "\x00", "x" * 300, ""])
near_misses = st.dictionaries(words, st.one_of(json_values, kinds, st.dictionaries(words, json_values, max_size=3)), max_size=8)
bodies = st.one_of(
    st.binary(max_size=60),
    json_values.map(as_json),
    near_misses.map(as_json),
    st.lists(near_misses, max_size=3).map(as_json),
    near_misses.map(lambda event: b"payload=" + as_json(event)),
    st.sampled_from([b"[" * 100_000, b'{"id":' * 50_000, b"9" * 10_000, b'{"type":"a","id":NaN}', b'{"id":"\\ud800","type":"\\u0000"}']),
)
NAMES = sorted({name for names in SIGNATURE_HEADERS.values() for name in names})
VALUES = st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=60)
NEARLY = st.sampled_from(["t=1,v1=0", "v0=", "sha256=" + "0" * 64, "v1,", "9" * 3000])
SIGNED: dict[str, Callable[[bytes], Call]] = {
    "stripe": stripe_call,
    "sendgrid": sendgrid_call,
    "shippo": shippo_call,
    "slack": slack_call,
    "github": github_call,
    "custom": custom_call,
}


@pytest.fixture(scope="module")
def line(gateway: Gateway) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=gateway.url, timeout=20, trust_env=False) as client:
        yield client


def answered(line: httpx.Client, call: Call) -> int:
    headers = [(name.encode(), value.strip().encode("latin-1")) for name, value in call.headers]
    return line.post(call.target, content=call.body, headers=headers).status_code


def genuine(provider: str, body: bytes) -> Call:
    if provider == "twilio":
        return twilio_call(
            {"MessageSid": body[:20].hex() or "x", "MessageStatus": body[20:60].decode("latin-1")}, query="effect=%ff&effect="
        )
    return SIGNED[provider](body)


@settings(max_examples=400, deadline=None, derandomize=True, database=None)
@given(provider=st.sampled_from(PROVIDERS), body=bodies)
def test_whatever_a_provider_signs_is_answered_and_never_with_a_500(line: httpx.Client, provider: str, body: bytes) -> None:
    assert answered(line, genuine(provider, body)) in (200, 202, 401)  # 401 where a text was expected, and it is none


@settings(max_examples=400, deadline=None, derandomize=True, database=None)
@given(
    provider=st.sampled_from([*PROVIDERS, "nobody", "stripe/", "%00", ".", "stripe%2f..", "STRIPE"]),
    body=bodies,
    headers=st.lists(st.tuples(st.sampled_from(NAMES), st.one_of(VALUES, NEARLY)), max_size=5),
    query=st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="#"), max_size=40),
)
def test_whatever_a_stranger_sends_is_refused_and_never_with_a_500(
    line: httpx.Client, provider: str, body: bytes, headers: list[tuple[str, str]], query: str
) -> None:
    assert answered(line, Call(provider, body, tuple(headers), query)) in (401, 404)


async def test_after_all_this_the_gateway_has_not_stumbled_once(gateway: Gateway) -> None:
    assert (await send(gateway, fresh("stripe"))).status_code == 202
    assert "Traceback" not in gateway.log()
    assert "ERROR" not in gateway.log()
    assert not [secret for secret in SECRETS.values() if secret in gateway.log()]
