"""Resources that belong to one event loop (database engines, HTTP pools): opened on first use, closed when the loop ends."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar, cast
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable
    from contextlib import AbstractAsyncContextManager

Resource = TypeVar("Resource")

_open: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[Hashable, tuple[AbstractAsyncContextManager[Any], Any]]] = WeakKeyDictionary()


async def per_loop(key: Hashable, opener: Callable[[], AbstractAsyncContextManager[Resource]]) -> Resource:
    """
    Return this event loop's resource under ``key``, entering ``opener()`` on the first call.

    ``opener`` is a function under ``@asynccontextmanager``. Such a context is an async generator, and every event loop closes its async
    generators when it shuts down (``loop.shutdown_asyncgens``, part of ``asyncio.run``), so nobody has to remember to. ``close_all`` does
    it earlier.
    """
    mine = _open.setdefault(asyncio.get_running_loop(), {})
    if key not in mine:
        context = opener()
        resource = await context.__aenter__()
        if key in mine:  # somebody else opened it while we awaited
            await context.__aexit__(None, None, None)
        else:
            mine[key] = (context, resource)
    return cast("Resource", mine[key][1])


async def close_all() -> None:
    """Close every resource of the running loop, newest first."""
    mine = _open.pop(asyncio.get_running_loop(), {})
    for context, _ in reversed(mine.values()):
        await context.__aexit__(None, None, None)
