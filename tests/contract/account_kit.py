"""What the tests of the accounts share: the troubles that every account must survive, and how to look at its errors."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import pickle
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from hub.errors import LeftTooLate, Misconfigured, NotSent, OutcomeUnknown, ProviderError, RateLimited
from hub.exchange import Exchange, exchanging
from tests.contract.sandbox_process import Sandbox

CUSTOMER = "bob.builder@example.net"
Verb = Callable[[], Awaitable[Any]]


@dataclass(frozen=True)
class Trouble:
    """What happens to a request (``fault``, for the sandbox), which of our errors that is, and how many effects the provider has had."""

    fault: dict[str, Any]
    kind: type[ProviderError]
    happened: int


TROUBLES = [
    pytest.param(Trouble({"what": "drop"}, OutcomeUnknown, 0), id="the line goes dead before the work"),
    pytest.param(Trouble({"what": "drop", "when": "after"}, OutcomeUnknown, 1), id="the line goes dead after the work"),
    pytest.param(Trouble({"what": "garbage", "when": "after"}, OutcomeUnknown, 1), id="an answer nobody can read"),
    pytest.param(Trouble({"what": "garbage", "when": "after", "body": "[1]"}, OutcomeUnknown, 1), id="an answer of another shape"),
    pytest.param(Trouble({"what": "garbage", "when": "after", "body": " " * 1_100_000}, OutcomeUnknown, 1), id="an answer without end"),
    pytest.param(
        Trouble({"what": "garbage", "when": "after", "body": "{" + " " * 5_000_000 + "}"}, OutcomeUnknown, 1), id="an answer of 5 MB"
    ),
    pytest.param(Trouble({"what": "garbage", "when": "after", "body": "<html>Sign in</html>"}, OutcomeUnknown, 1), id="a page for people"),
    pytest.param(Trouble({"what": "garbage", "when": "after", "body": ""}, OutcomeUnknown, 1), id="an empty answer"),
    pytest.param(Trouble({"what": "hang", "when": "after"}, OutcomeUnknown, 1), id="no answer in time"),
    pytest.param(Trouble({"what": "status", "status": 500}, OutcomeUnknown, 0), id="500 before the work"),
    pytest.param(
        Trouble({"what": "status", "status": 502, "when": "after", "body": "<html>"}, OutcomeUnknown, 1), id="a proxy's 502 after the work"
    ),
    pytest.param(Trouble({"what": "status", "status": 408}, OutcomeUnknown, 0), id="408"),
    pytest.param(Trouble({"what": "status", "status": 429, "retry_after": 7}, RateLimited, 0), id="too many requests"),
    pytest.param(Trouble({"what": "status", "status": 403, "body": "no"}, Misconfigured, 0), id="no permission"),
    pytest.param(Trouble({"what": "status", "status": 404, "body": "no"}, Misconfigured, 0), id="not known there"),
    pytest.param(Trouble({"what": "status", "status": 307}, Misconfigured, 0), id="a redirect"),
]


async def fails(verb: Verb, kind: type[ProviderError], exchange: Exchange | None = None) -> ProviderError:
    """Return the error that ``verb`` ends with; it must be exactly of that kind, survive pickling, and tell nobody's secrets."""
    with exchanging(exchange or Exchange()), pytest.raises(ProviderError) as caught:
        await verb()
    error = caught.value
    assert type(error) is kind, repr(error)
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert (type(again), again.args, vars(again)) == (type(error), error.args, vars(error))
    said = f"{error}{error!r}{pickle.dumps(error)!r}"
    assert error.__suppress_context__ or error.__context__ is None, "the SDK's own words would be logged as the cause"
    for secret in ("rehearsal", CUSTOMER, "Bob Builder"):
        assert secret not in said
    return error


async def survives(
    trouble: Trouble, sandbox: Sandbox, called: tuple[str, str, str], call_within: Callable[[float], Awaitable[Any]]
) -> ProviderError:
    """
    Check that a call in ``trouble`` ends with its error and its effects, and return the error.

    ``called`` is the provider, the operation and the kind of effect in the sandbox's words; ``call_within`` takes a time limit in seconds.
    """
    provider, operation, effect = called
    await sandbox.fault(provider, operation, **trouble.fault)

    exchange = Exchange()
    error = await fails(lambda: call_within(0.5 if trouble.fault["what"] == "hang" else 5), trouble.kind, exchange)

    assert exchange.sent
    assert await sandbox.count(provider, effect) == trouble.happened
    if isinstance(error, RateLimited):
        assert error.retry_after_seconds == 7
    return error


async def shares_one_pool(account: Callable[[], Any], *others: Callable[[], Any]) -> Any:
    """Check that an account loaded again has the client of the first, and ``others`` have not; return it when its event loop is over."""

    async def a_life() -> Any:
        client = await account().get_client()
        assert await account().get_client() is client
        for other in others:
            assert await other().get_client() is not client
        await account().check()
        return client

    client = await asyncio.to_thread(asyncio.run, a_life())
    gc.collect()  # a connection left open would warn now, and a warning is an error
    return client


async def tells_that_nobody_listens(verb_at: Callable[[str], Verb]) -> None:
    """Check that a refused connection is known to have sent nothing."""
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()

    exchange = Exchange()
    await fails(verb_at(f"http://127.0.0.1:{port}"), NotSent, exchange)

    assert not exchange.sent


async def keeps_the_send_window(sandbox: Sandbox, provider: str, verb: Verb) -> None:
    """Check that nothing is written once the send window is over, on a new connection and on a pooled one."""
    await sandbox.reset()
    for seen in (0, 1):
        late = Exchange(send_by=time.monotonic() - 0.001)
        await fails(verb, LeftTooLate, late)
        assert not late.sent
        assert len(await sandbox.requests(provider)) == seen
        if seen == 0:
            await verb()


async def gives_up_on_a_slow_answer(verb_at: Callable[[str], Verb], *, timeout_seconds: float) -> None:
    """Check that the time limit of ``verb_at`` covers a body that comes byte by byte, each of them in time."""

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n{")
        with contextlib.suppress(ConnectionError):
            while not reader.at_eof():
                writer.write(b" ")
                await writer.drain()
                await asyncio.sleep(timeout_seconds / 10)
        writer.close()

    server = await asyncio.start_server(drip, "127.0.0.1", 0)
    begin, exchange = time.monotonic(), Exchange()
    try:
        await fails(verb_at(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"), OutcomeUnknown, exchange)
    finally:
        server.close()

    assert exchange.sent
    assert timeout_seconds <= time.monotonic() - begin < timeout_seconds + 2


def long_ago() -> datetime:
    """Return a time before this test."""
    return datetime.fromtimestamp(time.time() - 300, UTC)
