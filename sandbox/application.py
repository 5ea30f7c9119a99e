"""Puts the rehearsal providers, the control API and the pages together on one port."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.callback_control import CallbackControl
from sandbox.callbacks import Callbacks, Calling
from sandbox.calls import Provider, World
from sandbox.control import Control
from sandbox.effects import Effects
from sandbox.executioner import Executioner
from sandbox.github_api import GitHub
from sandbox.handling import Reception
from sandbox.later import settle_what_is_due
from sandbox.pages import Pages
from sandbox.profiles_api import Profiles
from sandbox.sendgrid_api import SendGrid
from sandbox.shippo_api import Shippo
from sandbox.slack_api import Slack
from sandbox.store import Store
from sandbox.stripe_api import Stripe
from sandbox.stripe_deeds import StripeDeeds
from sandbox.tampering import Tampering
from sandbox.twilio_api import Twilio
from sandbox.warehouse_api import Warehouse
from sandbox.world_deeds import WorldDeeds

PROVIDERS: tuple[type[Provider], ...] = (
    Stripe,
    SendGrid,
    Shippo,
    Slack,
    Twilio,
    Profiles,
    GitHub,
    Warehouse,
)
DEFAULT_LATENCY_MS = {provider.name: provider.latency_ms for provider in PROVIDERS}
SETTLE_SECONDS = 1.0
TOKEN_VARIABLE = "HUB_SANDBOX_TOKEN"  # noqa: S105 - the name of a variable
_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


def create_app(
    home: Path,
    token: str,
    *,
    latency_ms: Mapping[str, float] | None = None,
    allow_kill: Mapping[str, Path] | None = None,
    settle_seconds: float = SETTLE_SECONDS,
    calling: Calling | None = None,
) -> Starlette:
    """
    Return the sandbox as an ASGI application; its memory is ``home/sandbox.sqlite3``.

    ``latency_ms`` overrides the default of single providers, ``allow_kill`` maps roles to pid files, ``settle_seconds`` is how long bank
    debits, pending refunds and asynchronous labels take, ``calling`` says where webhooks go. A dropped connection needs
    ``sandbox.connections.CuttableProtocol`` as the server's protocol.
    """
    home.mkdir(parents=True, exist_ok=True)
    store = Store(home / "sandbox.sqlite3")
    callbacks = Callbacks(store, calling or Calling())
    world = World(store, Effects(store), settle_seconds, callbacks)
    providers = {provider.name: provider() for provider in PROVIDERS}
    reception = Reception(world, {**DEFAULT_LATENCY_MS, **(latency_ms or {})}, Executioner(allow_kill or {}))

    @asynccontextmanager
    async def life(app: Starlette) -> AsyncIterator[None]:
        del app
        async with callbacks.running():
            settling = asyncio.create_task(settle_what_is_due(world, providers))
            try:
                yield
            finally:
                settling.cancel()
                with suppress(asyncio.CancelledError):
                    await settling
        store.close()

    return Starlette(
        routes=[
            *Pages(reception, providers).routes(),
            *Control(
                reception,
                providers,
                token,
                more=[
                    endpoint
                    for some in (CallbackControl(callbacks), StripeDeeds(world), WorldDeeds(world), Tampering(world))
                    for endpoint in some.endpoints()
                ],
            ).routes(),
            *(
                Route(path, _answering(reception, one), methods=_METHODS)
                for one in providers.values()
                for path in (one.prefix, f"{one.prefix}/{{path:path}}")
            ),
        ],
        lifespan=life,
    )


def control_token(home: Path) -> str:
    """Return the control token: from the environment, or from ``home/token``, which is made with mode 0600 when it is not there."""
    if from_environment := os.environ.get(TOKEN_VARIABLE, "").strip():
        return from_environment
    home.mkdir(parents=True, exist_ok=True)
    file = home / "token"
    with suppress(FileExistsError), os.fdopen(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as new:
        new.write(secrets.token_urlsafe(32))
    token = file.read_text(encoding="utf-8").strip()
    if not token:
        raise ValueError(f"{file} is empty: delete it, and a new token is made")
    return token


def _answering(reception: Reception, provider: Provider) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        return await reception.answer(provider, request)

    return answer
