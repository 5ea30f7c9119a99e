"""What a scene of the demo is: an order, a sign-up or a release, what the providers saw of it, and what they called back about."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import httpx

    from deployments.gateway_client import GatewayClient
    from deployments.sandbox_client import SandboxClient

ID_NAMES = {"orderId": "orders", "signupId": "signups", "releaseId": "releases"}
"""How the outcome names subjects, by what their views call their ids."""
CONFIRMED = Counter({"stripe.charge": 1, "shippo.label": 1, "sendgrid.mail": 1, "slack.message": 1})
TICKET = Counter({"warehouse.pick_ticket": 1})


@dataclass(frozen=True)
class Demo:
    """
    What the demo works with: the gateway, its door for anybody, the sandbox's control side, and Prefect's API.

    ``pick_tickets``: the warehouse is told what to pack.
    """

    gateway: GatewayClient
    door: httpx.AsyncClient
    sandbox: SandboxClient
    prefect: httpx.AsyncClient
    pick_tickets: bool

    @property
    def confirmed(self) -> Counter[str]:
        """What providers do for an order until it is confirmed and the warehouse knows of it."""
        return CONFIRMED + TICKET if self.pick_tickets else CONFIRMED


@dataclass(frozen=True)
class Told:
    """
    What a provider called back about, and what came of it.

    ``kept`` of the ``calls`` were new to the hub; ``facts`` were recorded. ``seconds`` is from the first call to the fact.
    """

    provider: str
    kind: str
    calls: int
    kept: int
    fact: str
    facts: int
    seconds: float


@dataclass
class Scene:
    """One thing shown: what the providers did in it (``seen``), what they called back about (``told``), and what else to say."""

    what: str
    view: dict[str, Any]
    seen: Counter[str]
    ok: bool
    references: dict[str, str] = field(default_factory=dict)
    told: list[Told] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def id_name(self) -> str:
        """What the view calls the id of what the scene is about, e.g. ``orderId``."""
        return next(name for name in ID_NAMES if name in self.view)

    @property
    def id(self) -> str:
        """Return the id of what the scene is about."""
        return str(self.view[self.id_name])

    def as_json(self) -> dict[str, Any]:
        """Return it as one JSON object."""
        known = {"what": self.what, self.id_name: self.id, "ok": self.ok, "effects": dict(self.seen)}
        return known | {"webhooks": [asdict(told) for told in self.told], "notes": self.notes}


@dataclass
class Outcome:
    """All scenes, and what the providers counted."""

    scenes: list[Scene]
    effects: Counter[str]

    @property
    def ok(self) -> bool:
        """Whether every scene went as it should."""
        return all(scene.ok for scene in self.scenes)

    def as_json(self) -> dict[str, Any]:
        """Return the outcome as one JSON object."""
        shown: dict[str, Any] = {subjects: {} for subjects in ID_NAMES.values()}
        for scene in self.scenes:
            shown[ID_NAMES[scene.id_name]][scene.id] = {**scene.view, "references": scene.references}
        scenes = [scene.as_json() for scene in self.scenes]
        return shown | {"effects": dict(self.effects), "scenes": scenes, "ok": self.ok}


async def count_effects(demo: Demo, subject_id: str) -> Counter[str]:
    """Return how often the providers did what for the subject so far."""
    return Counter(f"{effect['provider']}.{effect['kind']}" for effect in await demo.sandbox.effects(subject_id))


async def scene_of(
    demo: Demo, what: str, view: dict[str, Any], *, expected: Counter[str], status: str, before: Counter[str] | None = None
) -> Scene:
    """Return the scene: it is as it should be when its subject has this status, and the providers saw nothing but ``expected``."""
    scene = Scene(what, view, Counter(), ok=False)
    effects = await demo.sandbox.effects(scene.id)
    scene.seen = Counter(f"{effect['provider']}.{effect['kind']}" for effect in effects) - (before or Counter())
    scene.references = {f"{effect['provider']}.{effect['kind']}": effect["id"] for effect in effects}
    scene.ok = view["status"] == status and scene.seen == expected
    return scene
