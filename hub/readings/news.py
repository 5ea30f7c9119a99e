"""What an event of a provider means: whom it is about, and what has happened."""

from __future__ import annotations

import json
import re
from typing import Annotated, Any, NamedTuple
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from hub.facts import Fact
from hub.money import exponent
from hub.values import Frozen

_KEY = re.compile(
    r"(?:(?P<hub>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})|(?P<start>[0-9a-f]{12}))"
    r":(?P<kind>[a-z][a-z-]*):(?P<id>[!-9;-~]{1,100}):(?P<step>[a-z][A-Za-z0-9._-]*):(?P<attempt>[1-9][0-9]{0,8})"
)
_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


class Unreadable(Exception):
    """The event is not what its provider sends, or says what we have no word for. ``reason`` holds names of fields, never their content."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Address(Frozen):
    """
    Whom an event is about, and which effect, where the provider gives our reference back.

    ``hub_id``: whose reference it is; its first 12 digits where the provider has room for no more; None where only this hub is known.
    """

    hub_id: UUID | Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{12}$")] | None
    subject_kind: str
    subject_id: str
    step: str | None = None
    attempt: int | None = None

    @property
    def effect_key(self) -> str:
        """The effect key, e.g. ``order:o-1001:payment:1``; without a step that of no effect."""
        return ":".join(str(part) for part in (self.subject_kind, self.subject_id, self.step, self.attempt) if part is not None)

    def belongs_to(self, hub_id: UUID) -> bool:
        """Tell whether it is about a subject of this hub."""
        if isinstance(self.hub_id, str):
            return hub_id.hex.startswith(self.hub_id)
        return self.hub_id in (None, hub_id)


class Reference(Frozen):
    """The provider's own name for what an event is about, where it gives no reference of ours, e.g. a PaymentIntent's id."""

    provider: str
    reference: str


class News(Frozen):
    """
    What an event means to us.

    A fact whose ``attempt`` is None is about the payment that ``about`` leads to (``hub.facts.of_attempt``).
    """

    about: Address | Reference
    facts: Annotated[tuple[Fact, ...], Field(min_length=1)]


class Ours(NamedTuple):
    """An effect of ours that an event is about."""

    about: Address
    step: str
    attempt: int


def effect_in(reference: str | None) -> Ours | None:
    """
    Return the effect whose provider key ``reference`` is, e.g. ``<hub_id>:order:o-1001:payment:1``; None for anything else.

    Anything else is no error: another system may share the account.
    """
    found = _KEY.fullmatch(reference or "")
    if found is None:
        return None
    hub_id = found["start"] if found["hub"] is None else UUID(found["hub"])
    step, attempt = found["step"], int(found["attempt"])
    return Ours(Address(hub_id=hub_id, subject_kind=found["kind"], subject_id=found["id"], step=step, attempt=attempt), step, attempt)


class Foreign(BaseModel):
    """What we read of a provider's event: exact types, the rest ignored, its content never echoed in an error."""

    model_config = ConfigDict(extra="ignore", strict=True, frozen=True, hide_input_in_errors=True)


class Metadata(Foreign):
    """Our reference among whatever else stands in an object's metadata."""

    effect: Any = None

    @property
    def ours(self) -> Ours | None:
        """The effect, if it is one of a hub's."""
        return effect_in(self.effect) if isinstance(self.effect, str) else None


def _known_currency(currency: str) -> str:
    exponent(currency)
    return currency.lower()


Id = Annotated[str, StringConstraints(pattern=r"^[!-~]{1,255}$")]
Line = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f]{0,2000}$")]
Amount = Annotated[int, Field(ge=0, le=10**12)]
Currency = Annotated[str, AfterValidator(_known_currency)]


def plain(code: str | None, otherwise: str) -> str:
    """Return a provider's code where it looks like one; it could be anything, and facts hold nothing personal."""
    return code if code is not None and _CODE.fullmatch(code) else otherwise


def unreadable(error: ValidationError) -> Unreadable:
    """Return what is wrong with an event, as the places of its fields."""
    places = sorted({".".join(str(part) for part in problem["loc"]) or "the event" for problem in error.errors()})
    return Unreadable(f"not as the provider describes it: {', '.join(places)}")


def object_in(text: str) -> Any:
    """
    Return what a JSON text holds.

    Raises:
        Unreadable: It is no JSON.
    """
    try:
        return json.loads(text)
    except ValueError:
        raise Unreadable("a text that should be JSON is none") from None
