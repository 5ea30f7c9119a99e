"""``/_sandbox/objects/…``: what a provider keeps is inserted, changed or removed, without a webhook, an event or an effect."""

from __future__ import annotations

from typing import Any

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from sandbox.calls import World
from sandbox.control import Endpoint, json_of
from sandbox.deeds import Impossible, Order, carried_out


class ObjectOrder(Order):
    """What is different about an object, field by field; ``like`` makes it a copy of another one of its kind."""

    like: str | None = None
    changes: dict[str, Any] = Field(default_factory=dict)


class Tampering:
    """The endpoints; the lists of ``GET /_sandbox/objects`` show what they do."""

    def __init__(self, world: World) -> None:
        self._world = world

    def endpoints(self) -> list[tuple[str, str, Endpoint]]:
        """Return where they live."""
        place = "/objects/{provider}/{kind}/{id}"
        return [("PUT", place, self.put), ("DELETE", place, self.remove)]

    async def put(self, request: Request) -> Response:
        """Change an object, or insert one that is like another."""
        order = ObjectOrder.model_validate(await json_of(request))
        provider, kind, identity = _named(request)

        def do() -> dict[str, Any]:
            store, like = self._world.store, order.like or identity
            if (model := store.get(provider, kind, like)) is None:
                raise Impossible(404, "there is no such object")
            store.put(provider, kind, identity, model | order.changes, parent=store.parent_of(provider, kind, like))
            return model | order.changes

        return await carried_out(self._world, do)

    async def remove(self, request: Request) -> Response:
        """Remove an object."""
        provider, kind, identity = _named(request)

        def do() -> dict[str, Any]:
            if (gone := self._world.store.get(provider, kind, identity)) is None:
                raise Impossible(404, "there is no such object")
            self._world.store.remove(provider, kind, identity)
            return gone

        return await carried_out(self._world, do)


def _named(request: Request) -> tuple[str, str, str]:
    return request.path_params["provider"], request.path_params["kind"], request.path_params["id"]
