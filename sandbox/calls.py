"""What a rehearsal provider is made of: calls, answers, operations with human names, and the rules of its house."""

from __future__ import annotations

import secrets
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from starlette.requests import Request
from starlette.routing import compile_path

from sandbox.callbacks import Callbacks
from sandbox.effects import Effects
from sandbox.store import Store

_ID_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


def new_id(prefix: str, length: int = 24) -> str:
    """Return a fresh random identity such as ``pi_`` and 24 letters and digits."""
    return prefix + "".join(secrets.choice(_ID_ALPHABET) for _ in range(length))


@dataclass(frozen=True)
class Answer:
    """One HTTP answer: ``body`` is JSON (a dict), a text, or None for an empty one."""

    status: int
    body: dict[str, Any] | str | None
    headers: Mapping[str, str] = field(default_factory=dict)


class Rejected(Exception):
    """The request was turned down before any work began: nothing is kept, not even under an idempotency key."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer)
        self.answer = answer


@dataclass(frozen=True)
class World:
    """Everything the providers share: memory, effects log, how long a slow settlement takes in seconds, and the way to call back."""

    store: Store
    effects: Effects
    settle_seconds: float
    callbacks: Callbacks

    def later(self, provider: str, what: str, identity: str) -> None:
        """Have ``Provider.settle(what, identity)`` called once the settlement time has passed, also after a restart."""
        self.store.connection.execute(
            "INSERT INTO later (due, provider, what, id) VALUES (?, ?, ?, ?)", (time.time() + self.settle_seconds, provider, what, identity)
        )


@dataclass(frozen=True)
class Call:
    """One request, read: ``values`` from body or query, ``parts`` from the path, ``credential`` as sent, ``key`` for idempotency."""

    world: World
    provider: str
    operation: str
    method: str
    path: str
    base_url: str
    credential: str | None
    values: dict[str, Any]
    parts: dict[str, str]
    fingerprint: str
    key: str | None = None
    request_id: str = ""

    @property
    def store(self) -> Store:
        """The providers' memory."""
        return self.world.store


Work = Callable[[Call], Answer]


@dataclass(frozen=True)
class Operation:
    """Something a provider does: its name for people and faults, where it lives, and the work."""

    name: str
    method: str
    path: str
    work: Work


class Provider(ABC):
    """
    One rehearsal provider. A new one is a module with a subclass, added to ``sandbox.application.PROVIDERS``.

    ``prefix`` is where its API begins below the one port; ``remembers_keys`` says that it honours ``Idempotency-Key``.
    """

    name: ClassVar[str]
    prefix: ClassVar[str]
    latency_ms: ClassVar[float]
    remembers_keys: ClassVar[bool] = False
    operations: ClassVar[tuple[Operation, ...]]

    def __init__(self) -> None:
        self._patterns = [(compile_path(operation.path)[0], operation) for operation in self.operations]

    def operation_at(self, method: str, path: str) -> tuple[Operation, dict[str, str]] | None:
        """Return what answers ``method`` at ``path`` (without the prefix) and the parts of the path, or None."""
        for pattern, operation in self._patterns:
            if operation.method == method and (found := pattern.match(path)):
                return operation, found.groupdict()
        return None

    @abstractmethod
    def read(self, request: Request, body: bytes) -> dict[str, Any]:
        """
        Return the parameters of a request.

        Raises:
            Rejected: They cannot be read.
        """

    @abstractmethod
    def credential(self, request: Request) -> str | None:
        """Return the key that the caller showed, or None."""

    @abstractmethod
    def turned_away(self, credential: str | None, *, revoked: bool) -> Answer | None:
        """Return the answer to a caller whose key is missing, unknown or revoked; None lets the caller in."""

    @abstractmethod
    def unknown(self, method: str, path: str) -> Answer:
        """Return the answer to a request for something that does not exist."""

    @abstractmethod
    def failure(self, status: int) -> dict[str, Any]:
        """Return the body with which this provider says ``status`` when it is itself in trouble."""

    @abstractmethod
    def subject(self, call: Call) -> str | None:
        """Return whom the call is about, as far as it can be seen before the work."""

    def headers(self, request_id: str, key: str | None) -> dict[str, str]:
        """Return the headers on every answer."""
        del key
        return {"X-Request-Id": request_id}

    def settle(self, world: World, what: str, identity: str) -> None:
        """Do what ``World.later`` asked for; called inside a transaction."""
        raise NotImplementedError(f"{self.name} settles nothing: {world}, {what}, {identity}")
