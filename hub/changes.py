"""What a transaction has changed and somebody wants to hear of: told once it is committed, from the process that made it so."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Generic, TypeVar

from sqlalchemy import event

if TYPE_CHECKING:
    from sqlmodel.ext.asyncio.session import AsyncSession

Change = TypeVar("Change")


class Changes(Generic[Change]):
    """One kind of change, and who listens to it here. A listener must neither wait nor raise."""

    def __init__(self, name: str) -> None:
        self._listener: ContextVar[Callable[[Change], None] | None] = ContextVar(name, default=None)

    @contextmanager
    def told_to(self, listener: Callable[[Change], None]) -> Iterator[None]:
        """Let ``listener`` hear of every such change that is made from within the block."""
        token = self._listener.set(listener)
        try:
            yield
        finally:
            self._listener.reset(token)

    def tell(self, session: AsyncSession, change: Change) -> None:
        """Tell the listener, if there is one, as soon as the session has committed it."""
        if (listener := self._listener.get()) is not None:
            event.listen(session.sync_session, "after_commit", lambda _: listener(change), once=True)
