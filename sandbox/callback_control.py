"""``/_sandbox/webhooks``: how deliveries misbehave, which ones there were, and letting go what is withheld."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from sandbox.callback_rules import Misbehaviour
from sandbox.callbacks import Callbacks
from sandbox.control import Endpoint, json_of


class ReleaseOrder(BaseModel):
    """Which withheld webhooks go out now; all without a provider and kind."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    provider: str | None = None
    kind: str | None = None


class CallbackControl:
    """The endpoints about webhooks."""

    def __init__(self, callbacks: Callbacks) -> None:
        self._callbacks = callbacks

    def endpoints(self) -> list[tuple[str, str, Endpoint]]:
        """Return where they live."""
        return [
            ("GET", "/webhooks", self.listing),
            ("POST", "/webhooks", self.misbehave),
            ("DELETE", "/webhooks", self.clear),
            ("POST", "/webhooks/release", self.release),
            ("POST", "/webhooks/{id}/redeliver", self.redeliver),
        ]

    async def listing(self, request: Request) -> Response:
        """Show the last deliveries, oldest first; ``provider``, ``kind`` and ``state`` narrow it. Bodies hold personal data."""
        query = request.query_params
        provider, kind, state = query.get("provider"), query.get("kind"), query.get("state")
        found = [
            delivery.readable()
            for delivery in reversed(self._callbacks.deliveries())
            if provider in {None, delivery.first.provider}
            and (kind is None or kind in {callback.kind for callback in delivery.callbacks})
            and state in {None, delivery.state}
        ]
        return JSONResponse({"deliveries": found, "waiting": self._callbacks.waiting, "misbehaviour": self._callbacks.rules.readable()})

    async def misbehave(self, request: Request) -> Response:
        """Order a misbehaviour: 201, 422 when it makes no sense."""
        rule = Misbehaviour.model_validate(await json_of(request))
        self._callbacks.rules.place(rule)
        return JSONResponse(rule.model_dump(mode="json"), 201)

    async def clear(self, request: Request) -> Response:
        """Deliver as usual again; what is listed, waiting or withheld is forgotten."""
        del request
        self._callbacks.forget()
        return JSONResponse({"ok": True})

    async def release(self, request: Request) -> Response:
        """Send what is withheld."""
        order = ReleaseOrder.model_validate(await json_of(request))
        return JSONResponse({"released": self._callbacks.release(order.provider, order.kind)})

    async def redeliver(self, request: Request) -> Response:
        """Send a past delivery again, as a person does in a provider's dashboard; 404 when there is none."""
        again = self._callbacks.redeliver(request.path_params["id"])
        return JSONResponse({"error": "no such delivery"}, 404) if again is None else JSONResponse({"id": again.id}, 202)
