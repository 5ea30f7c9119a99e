"""How the `hub` command speaks to the gateway: the same door that everybody else uses."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import httpx

from deployments.problems import Problem
from hub.settings import settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

TIMEOUT_SECONDS = 20


class GatewayClient:
    """The gateway, with a key."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    async def ask(self, method: str, path: str, body: Any = None, **query: Any) -> tuple[int, Any]:
        """
        Return the status code and the decoded answer.

        Raises:
            Problem: The gateway does not answer, or it answers with an error; the sentence is the gateway's own.
        """
        wanted = {name: value for name, value in query.items() if value is not None}
        try:
            answer = await self._http.request(method, path, json=body, params=wanted)
        except httpx.HTTPError as error:
            raise Problem(
                f"the gateway at {self._http.base_url} does not answer ({type(error).__name__}); start it with `hub up`"
            ) from error
        content = answer.json()
        if answer.is_error:
            raise Problem(str(content.get("detail", answer.status_code)))
        return answer.status_code, content


@asynccontextmanager
async def gateway_client(url: str | None = None, key: str | None = None) -> AsyncIterator[GatewayClient]:
    """
    The gateway of the running stack, or the one that ``HUB_GATEWAY_URL`` and ``HUB_GATEWAY_KEY`` name.

    Raises:
        Problem: There is no key to use.
    """
    if key is None:
        if (secret := settings().gateway_key) is None:
            raise Problem(
                "no key for the gateway: start the local stack with `hub up`, or set HUB_GATEWAY_KEY to one made with `hub keys add`"
            )
        key = secret.get_secret_value()
    headers = {"Authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(base_url=url or settings().gateway_url, headers=headers, timeout=TIMEOUT_SECONDS, trust_env=False) as http:
        yield GatewayClient(http)
