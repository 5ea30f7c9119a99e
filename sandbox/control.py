"""The sandbox's own API below ``/_sandbox/``: what happened, what shall go wrong, which keys are revoked. Behind the token."""

from __future__ import annotations

import hmac
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.calls import Provider
from sandbox.faults import ANY_OPERATION, OWN, FaultOrder
from sandbox.handling import Reception, credential_digest

Endpoint = Callable[[Request], Awaitable[Response]]
_LATENCIES = TypeAdapter(dict[str, float])


class KeyOrder(BaseModel):
    """Revoke a credential of a provider, or let it in again."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    provider: str
    key: str = Field(min_length=1)
    revoked: bool


class Control:
    """The endpoints, and ``more`` of them; each but ``health`` answers 401 without the token."""

    def __init__(
        self, reception: Reception, providers: Mapping[str, Provider], token: str, *, more: Sequence[tuple[str, str, Endpoint]] = ()
    ) -> None:
        self._reception, self._providers, self._token, self._more = reception, providers, token, more
        self._latency_at_start = dict(reception.latency_ms)

    def routes(self) -> list[Route]:
        """Return where the endpoints live."""
        guarded: list[tuple[str, str, Endpoint]] = [
            ("GET", "/effects", self.effects),
            ("GET", "/requests", self.requests),
            ("GET", "/in-flight", self.in_flight),
            ("GET", "/objects", self.objects),
            ("GET", "/operations", self.operations),
            ("GET", "/faults", self.list_faults),
            ("POST", "/faults", self.place_fault),
            ("DELETE", "/faults", self.clear_faults),
            ("DELETE", "/faults/{id}", self.remove_fault),
            ("POST", "/faults/{id}/release", self.release_fault),
            ("POST", "/keys", self.keys),
            ("GET", "/latency", self.latency),
            ("POST", "/latency", self.latency),
            ("POST", "/reset", self.reset),
            *self._more,
        ]
        health = Route("/_sandbox/health", self.health, methods=["GET"])
        return [health, *(Route(f"/_sandbox{path}", self._guarded(endpoint), methods=[method]) for method, path, endpoint in guarded)]

    async def health(self, request: Request) -> Response:
        """Say that the sandbox is there."""
        del request
        return JSONResponse({"ok": True})

    async def effects(self, request: Request) -> Response:
        """Show what really happened; ``provider``, ``kind``, ``subject`` and ``since`` (a number) narrow it, and the counts with it."""
        query = request.query_params
        found = self._reception.world.effects.found(query.get("provider"), query.get("kind"), query.get("subject"), _since(request))
        counts: dict[str, int] = {}
        for effect in found:
            name = f"{effect['provider']}.{effect['kind']}"
            counts[name] = counts.get(name, 0) + 1
        return JSONResponse({"effects": found, "counts": counts})

    async def requests(self, request: Request) -> Response:
        """Show the last HTTP requests to the providers, in the order they ended."""
        query = request.query_params
        past = self._reception.journal.past(query.get("provider"), query.get("operation"), _since(request))
        return JSONResponse({"requests": past})

    async def in_flight(self, request: Request) -> Response:
        """Show the requests inside a handler now."""
        query = request.query_params
        inside = self._reception.journal.in_flight(query.get("provider"), query.get("operation"))
        return JSONResponse({"count": len(inside), "requests": inside})

    async def objects(self, request: Request) -> Response:
        """Show what a provider keeps, newest first: ``provider`` and ``kind`` such as sendgrid and mail; it holds personal data."""
        provider, kind = request.query_params.get("provider", ""), request.query_params.get("kind", "")
        found = [] if provider == OWN else list(self._reception.world.store.newest_first(provider, kind))
        return JSONResponse({"objects": found})

    async def operations(self, request: Request) -> Response:
        """List the human names of everything the providers do."""
        del request
        return JSONResponse({name: _names(provider) for name, provider in self._providers.items()})

    async def list_faults(self, request: Request) -> Response:
        """List the faults and how often they fired."""
        del request
        return JSONResponse({"faults": [fault.readable() for fault in self._reception.faults.all()]})

    async def place_fault(self, request: Request) -> Response:
        """Order a fault: 201 and its id, 422 when it makes no sense, 403 for a process that may not be killed."""
        order = FaultOrder.model_validate(await json_of(request))
        provider = self._providers.get(order.provider)
        if provider is None:
            return _unprocessable(f"unknown provider {order.provider!r}", providers=sorted(self._providers))
        if order.operation not in {ANY_OPERATION, *_names(provider)}:
            return _unprocessable(f"{order.provider} has no operation {order.operation!r}", operations=_names(provider))
        if order.what == "kill" and not self._reception.executioner.may_kill(order.role or ""):
            return JSONResponse({"error": f"killing {order.role!r} was not allowed at the start (--allow-kill)"}, 403)
        return JSONResponse(self._reception.faults.place(order).readable(), 201)

    async def clear_faults(self, request: Request) -> Response:
        """Delete every fault and let go what hangs."""
        del request
        return JSONResponse({"removed": self._reception.faults.clear()})

    async def remove_fault(self, request: Request) -> Response:
        """Delete one fault and let go what hangs on it."""
        return _found(self._reception.faults.remove(request.path_params["id"]))

    async def release_fault(self, request: Request) -> Response:
        """Let go the calls that hang on a fault now."""
        return _found(self._reception.faults.release(request.path_params["id"]))

    async def keys(self, request: Request) -> Response:
        """Revoke or restore a credential; only its digest is kept."""
        order = KeyOrder.model_validate(await json_of(request))
        if order.provider not in self._providers:
            return _unprocessable(f"unknown provider {order.provider!r}", providers=sorted(self._providers))
        store, identity = self._reception.world.store, f"{order.provider}:{credential_digest(order.key)}"
        if order.revoked:
            store.put(OWN, "revoked", identity, {})
        else:
            store.remove(OWN, "revoked", identity)
        return JSONResponse({"provider": order.provider, "revoked": order.revoked})

    async def latency(self, request: Request) -> Response:
        """Show, and with POST change, how many milliseconds each provider takes."""
        if request.method == "POST":
            wanted = _LATENCIES.validate_python(await json_of(request))
            if wrong := [name for name, value in wanted.items() if name not in self._providers or not 0 <= value <= 60_000]:  # noqa: PLR2004 - a minute
                return _unprocessable(f"wrong latency for {', '.join(wrong)}", providers=sorted(self._providers))
            self._reception.latency_ms.update(wanted)
        return JSONResponse(self._reception.latency_ms)

    async def reset(self, request: Request) -> Response:
        """Forget everything: objects, effects, kept answers, faults, revoked keys, requests, webhooks; latencies are those of the start."""
        del request
        self._reception.world.callbacks.forget()
        self._reception.faults.clear()
        self._reception.world.store.forget_everything()
        self._reception.journal.clear()
        self._reception.latency_ms.update(self._latency_at_start)
        return JSONResponse({"ok": True})

    def _guarded(self, endpoint: Endpoint) -> Endpoint:
        async def guarded(request: Request) -> Response:
            shown = request.headers.get("authorization", "").encode()
            if not hmac.compare_digest(shown, f"Bearer {self._token}".encode()):
                return JSONResponse({"error": "the control token is missing or wrong"}, 401, {"WWW-Authenticate": "Bearer"})
            try:
                return await endpoint(request)
            except ValidationError as error:
                return _unprocessable(
                    "the request makes no sense", details=error.errors(include_url=False, include_context=False, include_input=False)
                )
            except ValueError as error:
                return _unprocessable(str(error))

        return guarded


async def json_of(request: Request) -> Any:
    """Return the body; an empty one is ``{}``."""
    try:
        return json.loads(await request.body() or b"{}")
    except ValueError as error:
        raise ValueError("the body is not JSON") from error


def _since(request: Request) -> int:
    text = request.query_params.get("since", "0")
    if not text.isdecimal():
        raise ValueError("`since` is the number of an entry")
    return int(text)


def _names(provider: Provider) -> list[str]:
    return sorted({operation.name for operation in provider.operations})


def _unprocessable(sentence: str, **more: Any) -> Response:
    return JSONResponse({"error": sentence, **more}, 422)


def _found(there: bool) -> Response:
    return JSONResponse({"ok": True}) if there else JSONResponse({"error": "no such fault"}, 404)
