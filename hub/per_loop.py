"""Resources that belong to one event loop (database engines, HTTP pools): opened on first use, closed when the loop ends."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar, cast
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Hashable
    from contextlib import AbstractAsyncContextManager

Resource = TypeVar("Resource")

_open: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[Hashable, tuple[AsyncGenerator[Any, None], Any]]] = WeakKeyDictionary()


async def per_loop(key: Hashable, opener: Callable[[], AbstractAsyncContextManager[Resource]]) -> Resource:
    """
    Return this event loop's resource under ``key``, entering ``opener()`` on the first call.

    The resource is held by an async generator, and every event loop closes its async generators when it shuts down
    (``loop.shutdown_asyncgens``, part of ``asyncio.run``), so nobody has to remember to. ``close_all`` does it earlier.
    """
    mine = _open.setdefault(asyncio.get_running_loop(), {})
    if key not in mine:
        holder = _holding(opener())
        resource = await anext(holder)
        if key in mine:  # somebody else opened it while we awaited
            await holder.aclose()
        else:
            mine[key] = (holder, resource)
    return cast("Resource", mine[key][1])


async def close_all() -> None:
    """Close every resource of the running loop, newest first."""
    mine = _open.pop(asyncio.get_running_loop(), {})
    for holder, _ in reversed(mine.values()):
        await holder.aclose()


async def _holding(manager: AbstractAsyncContextManager[Resource]) -> AsyncGenerator[Resource, None]:
    async with manager as resource:
        yield resource
