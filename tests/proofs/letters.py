"""The post office of a proof: it takes every webhook that the sandbox sends, and hands it to the gateway as often and whenever it likes."""

from __future__ import annotations

import asyncio
import base64
import json
import re
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote

import aiohttp
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_private_key
from yarl import URL

from deployments import secret_files, webhook_secrets
from tests.contract.signed_calls import Call, custom_call, sendgrid_call, slack_call, stripe_call

ORDER = re.compile(r"(?:storm|calm)-\d{4}")
PAYMENT = re.compile(r"\bpi_\w+")
FOREIGN = "elsewhere-"
"""What another hub's orders begin with; their letters are counted with the order that they resemble."""
CONNECTIONS = 48
REPEAT_SECONDS = 0.5
"""Providers wait longer before they come again; shorter means more knocks at a door that is just being killed."""


@dataclass(eq=False)
class Letter:
    """One notice as its provider sent it. ``told``: the gateway has answered a delivery of it with 2xx."""

    provider: str
    kind: str
    target: str
    body: bytes
    headers: tuple[tuple[str, str], ...]
    event: dict[str, Any]
    order_id: str = ""
    told: asyncio.Event = field(default_factory=asyncio.Event)
    early: bool = False

    @property
    def identity(self) -> tuple[str, ...]:
        """Equal for two sendings of the same notice, by what came over the wire and by nothing that we make of it."""
        return self.provider, self.target, dict(self.headers).get("webhook-id", ""), self.body.decode()


class Post:
    """Letters by order, in the order in which they came. ``on_letter`` hears of each new one."""

    def __init__(self) -> None:
        self.by_order: dict[str, list[Letter]] = defaultdict(list)
        self.on_letter: Callable[[Letter], None] = dropped
        self.url = ""
        self._known: set[tuple[str, ...]] = set()
        self._order_of_payment: dict[str, str] = {}

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Post]:
        """Webhooks are taken at ``url``/webhooks/<provider> while the block runs."""
        app = web.Application()
        app.router.add_post("/webhooks/{provider}", self._take)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        try:
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            host, port = runner.addresses[0][:2]
            self.url = f"http://{host}:{port}"
            yield self
        finally:
            self.on_letter = dropped
            await runner.cleanup()

    def of(self, order_id: str, *kinds: str) -> list[Letter]:
        """The order's letters so far; of these kinds, if any are named."""
        return [letter for letter in self.by_order[order_id] if not kinds or letter.kind in kinds]

    async def _take(self, request: web.Request) -> web.Response:
        headers = tuple((name, value) for name, value in request.headers.items() if name.lower().startswith(("x-", "webhook", "shippo")))
        for letter in _letters(request.match_info["provider"], request.raw_path, await request.read(), headers):
            if letter.identity not in self._known:
                self._known.add(letter.identity)
                letter.order_id = self._whose(letter)
                self.by_order[letter.order_id].append(letter)
                self.on_letter(letter)
        return web.Response(status=202)

    def _whose(self, letter: Letter) -> str:
        """Return the order that the letter is about: it is named, or its payment has been named with it before."""
        text = letter.body.decode() + unquote(letter.target)
        payments = PAYMENT.findall(text)
        named = ORDER.search(text)
        order_id = named[0] if named else next(self._order_of_payment[payment] for payment in payments if payment in self._order_of_payment)
        self._order_of_payment.update(dict.fromkeys(payments, order_id))
        if FOREIGN in text:
            letter.kind = f"foreign {letter.kind}"
        return order_id


def _letters(provider: str, target: str, body: bytes, headers: tuple[tuple[str, str], ...]) -> list[Letter]:
    if provider == "sendgrid":  # an array: each event is a notice of its own, and will travel in other company
        return [Letter(provider, event["event"], target, json.dumps(event).encode(), headers, event) for event in json.loads(body)]
    event: dict[str, Any] = dict(parse_qsl(body.decode())) if provider == "twilio" else json.loads(body)
    match provider:
        case "stripe" | "custom":
            kind = event["type"]
        case "shippo":
            said = event["data"]["tracking_status"] if event["event"] == "track_updated" else event["data"]
            kind = f"{event['event']} {said['status']}"
        case "twilio":
            kind = f"text {event['MessageStatus']}"
        case _:
            kind = "chatter"
    return [Letter(provider, kind, target, body, headers, event)]


class Carrier:
    """Carries letters to the gateway, signed as their provider signs, and comes again until it has taken them."""

    def __init__(self, home: Path, gateway_url: str, session: aiohttp.ClientSession) -> None:
        self._secrets = json.loads(webhook_secrets.sandbox_file(home, secret_files.rehearsal_keys(home)).read_text())
        key = load_der_private_key(base64.b64decode(self._secrets["sendgrid"]), None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        self._sendgrid_key, self._url, self._session = key, gateway_url, session
        self.requests = self.delivered = self.repeated = 0
        self.refusals: list[str] = []

    async def deliver(self, letters: Sequence[Letter]) -> None:
        """Return when the gateway has answered 2xx; several letters are SendGrid's, in one array."""
        while not await self._try(letters):
            self.repeated += 1
            await asyncio.sleep(REPEAT_SECONDS)
        self.delivered += len(letters)
        for letter in letters:
            letter.told.set()

    async def _try(self, letters: Sequence[Letter]) -> bool:
        call = self._signed_now(letters)
        address = URL(f"{self._url}{letters[0].target}", encoded=True)  # as it was called: Twilio's signature is over it
        self.requests += 1
        try:
            async with self._session.post(address, data=call.body, headers=list(call.headers)) as answer:
                if answer.status // 100 == 2:
                    return True
                if answer.status // 100 == 4:
                    raise AssertionError(f"{call.provider} got {answer.status} for {letters[0].kind}: {await answer.text()}")
                self.refusals.append(f"{answer.status}")
        except (aiohttp.ClientError, TimeoutError, ConnectionError) as failure:
            self.refusals.append(type(failure).__name__)
        return False

    def _signed_now(self, letters: Sequence[Letter]) -> Call:
        """Stripe, Slack, SendGrid and Standard Webhooks sign every repetition anew; the others' letters stay as they were."""
        first = letters[0]
        match first.provider:
            case "stripe":
                return stripe_call(first.body, secret=self._secrets["stripe"])
            case "slack":
                return slack_call(first.body, secret=self._secrets["slack"])
            case "custom":
                return custom_call(first.body, secret=self._secrets["custom"], guid=dict(first.headers)["webhook-id"])
            case "sendgrid":
                return sendgrid_call(b"[" + b",".join(letter.body for letter in letters) + b"]", private=self._sendgrid_key)
            case _:
                kind = "application/x-www-form-urlencoded" if first.provider == "twilio" else "application/json"
                return Call(first.provider, first.body, (("Content-Type", kind), *first.headers))


def dropped(letter: Letter) -> None:
    """Nobody listens any more, or not yet."""
    del letter


@asynccontextmanager
async def carrier_to(home: Path, gateway_url: str) -> AsyncIterator[Carrier]:
    """A carrier with pooled connections, kept shorter than the gateway keeps them."""
    connector = aiohttp.TCPConnector(limit=CONNECTIONS, keepalive_timeout=2)
    timeout = aiohttp.ClientTimeout(total=15)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
        yield Carrier(home, gateway_url, session)
