"""Troubles on demand: which ones are ordered, which call they hit, and how often they did."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from sandbox.calls import Call, new_id
from sandbox.store import Store

# The provider under which the sandbox keeps things of its own in the store.
OWN = "sandbox"
ANY_OPERATION = "*"
When = Literal["before", "after"]
What = Literal["delay", "hang", "drop", "garbage", "status", "kill", "idempotency_error", "conflict"]
_STRIPE_ONLY = ("idempotency_error", "conflict")


class Match(BaseModel):
    """Narrows a fault to calls about one subject, and to those whose parameters hold a text, e.g. the name of one of its steps."""

    model_config = ConfigDict(extra="forbid")

    subject: str | None = None
    containing: str | None = Field(default=None, min_length=1)

    @model_validator(mode="after")
    def _narrows(self) -> Match:
        if self.subject is None and self.containing is None:
            raise ValueError("a match needs a `subject`, or a text that the call is `containing`")
        return self

    def fits(self, subject: str | None, values: Mapping[str, Any]) -> bool:
        """Tell whether a call about ``subject`` with these parameters is meant."""
        if self.subject not in (None, subject):
            return False
        return self.containing is None or self.containing in json.dumps(values, ensure_ascii=False, default=str)


class FaultOrder(BaseModel):
    """
    One trouble to make.

    ``when`` is before or after the work is done; ``times`` is how many calls it hits, null for every one until it is deleted.
    ``operation`` is a human name such as "create payment", or "*" for all of the provider's.
    """

    model_config = ConfigDict(extra="forbid")

    provider: str
    operation: str
    what: What
    when: When = "before"
    seconds: float | None = Field(default=None, ge=0, le=3600)
    status: int | None = Field(default=None, ge=200, le=599)
    retry_after: float | None = Field(default=None, ge=0)
    body: dict[str, Any] | str | None = None
    role: str | None = None
    times: int | None = Field(default=1, ge=1)
    match: Match | None = None

    @model_validator(mode="after")
    def _complete(self) -> FaultOrder:
        if self.what == "delay" and self.seconds is None:
            raise ValueError("a delay needs `seconds`")
        if self.what == "status" and self.status is None:
            raise ValueError("a status needs `status`")
        if self.what == "kill" and not self.role:
            raise ValueError("a kill needs the `role` whose process dies")
        if self.what in _STRIPE_ONLY and self.provider != "stripe":
            raise ValueError(f"{self.what} is something only stripe says")
        return self


class Fault(BaseModel):
    """An ordered fault and how often it fired."""

    id: str
    order: FaultOrder
    fired: int = 0

    @property
    def spent(self) -> bool:
        """Whether it has hit as many calls as was ordered."""
        return self.order.times is not None and self.fired >= self.order.times

    def readable(self) -> dict[str, Any]:
        """Return it as the control API shows it."""
        return {"id": self.id, "fired": self.fired, "spent": self.spent, **self.order.model_dump(exclude_none=True)}


class FaultBook:
    """The ordered faults, oldest first. They survive a restart; what hangs is let go by one."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._hanging: dict[str, asyncio.Event] = {}
        self._faults = {
            fault.id: fault for fault in map(Fault.model_validate, reversed(list(store.newest_first(OWN, "fault")))) if not fault.spent
        }

    def place(self, order: FaultOrder) -> Fault:
        """Keep an order; it may hit the next call."""
        fault = Fault(id=new_id("fault_", 12), order=order)
        self._faults[fault.id] = fault
        self._store.put(OWN, "fault", fault.id, fault.model_dump(mode="json"))
        return fault

    def all(self) -> list[Fault]:
        """Return every fault that was not deleted, also the spent ones of this process's life."""
        return list(self._faults.values())

    def take(self, call: Call, subject: str | None, when: When) -> Fault | None:
        """Return the oldest fault that hits this call, counted as fired, or None."""
        for fault in self._faults.values():
            order = fault.order
            fits = order.provider == call.provider and order.operation in {call.operation, ANY_OPERATION} and order.when == when
            if fits and not fault.spent and (order.match is None or order.match.fits(subject, call.values)):
                fault.fired += 1
                self._store.put(OWN, "fault", fault.id, fault.model_dump(mode="json"))
                return fault
        return None

    async def held(self, fault: Fault) -> None:
        """Return when a hanging call is let go."""
        await self._hanging.setdefault(fault.id, asyncio.Event()).wait()

    def release(self, fault_id: str) -> bool:
        """Let go the calls that hang on a fault now; calls that it hits later hang again. False when there is no such fault."""
        if event := self._hanging.pop(fault_id, None):
            event.set()
        return fault_id in self._faults

    def remove(self, fault_id: str) -> bool:
        """Delete a fault and let go what hangs on it. False when there is no such fault."""
        self.release(fault_id)
        self._store.remove(OWN, "fault", fault_id)
        return self._faults.pop(fault_id, None) is not None

    def clear(self) -> int:
        """Delete every fault, let go whatever hangs, and return how many there were."""
        return sum(self.remove(fault_id) for fault_id in list(self._faults))
