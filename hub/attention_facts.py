"""What has happened between the hub and people: what they were asked, what they said and did; like all facts, recorded once."""

from __future__ import annotations

from typing import ClassVar, Literal

from hub.values import Frozen


class AttentionNeeded(Frozen):
    """A person has to look; ``reason`` says at what."""

    told_apart_by: ClassVar = ("epoch",)

    kind: Literal["needs attention"] = "needs attention"
    epoch: int
    reason: str


class ToldByHand(Frozen):
    """A person has found out what came of an effect that nobody knew of, and has said so; ``by`` is who."""

    told_apart_by: ClassVar = ("step", "attempt", "happened", "epoch")

    kind: Literal["told by hand"] = "told by hand"
    step: str
    attempt: int
    happened: bool
    by: str
    epoch: int


class CameOut(Frozen):
    """What came of an effect of which nobody knew is known after all, and the person who was asked to look is not needed any more."""

    told_apart_by: ClassVar = ("step", "attempt", "epoch")

    kind: Literal["came out"] = "came out"
    step: str
    attempt: int
    epoch: int


class TakenUp(Frozen):
    """A person has let it go on, or try anew; ``by`` is who."""

    told_apart_by: ClassVar = ("epoch",)

    kind: Literal["taken up again"] = "taken up again"
    by: str
    epoch: int


class Forgotten(Frozen):
    """The person whom it was about wanted to be forgotten, and was; ``by`` is who did it."""

    told_apart_by: ClassVar = ()

    kind: Literal["forgotten"] = "forgotten"
    by: str
