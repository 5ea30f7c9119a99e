"""
What people and the world do at a provider, below ``/_sandbox/``, each followed by the provider's webhook.

``stripe_deeds`` has an owner who refunds, a cardholder who disputes, a bank that settles; ``world_deeds`` parcels, mails and the rest.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic import BaseModel, ConfigDict
from starlette.responses import JSONResponse, Response

from sandbox.calls import World


class Order(BaseModel):
    """What the body of a request says; unknown names are refused."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class Impossible(Exception):
    """What was asked for cannot be done as things are; ``status`` is 404 or 409."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(status, sentence)
        self.status, self.sentence = status, sentence


async def carried_out(world: World, do: Callable[[], dict[str, Any]]) -> Response:
    """Do it in one transaction and answer with what it returns, after the early webhooks; 404 or 409 when it cannot be done."""
    try:
        with world.store.transaction():
            result = do()
    except Impossible as reason:
        return JSONResponse({"error": reason.sentence}, reason.status)
    await world.callbacks.early_ones()
    return JSONResponse(result)
