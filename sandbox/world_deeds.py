"""What carriers, mailboxes, phones, the team, GitHub and the company's own systems do, each followed by its webhook."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from sandbox import custom_events, github_events, github_objects, sendgrid_events, shippo_tracks, slack_events, twilio_messages
from sandbox.calls import World
from sandbox.control import Endpoint, json_of
from sandbox.deeds import Impossible, Order, carried_out


class ParcelOrder(Order):
    """Where the parcel is now; ``at`` is when the carrier saw it."""

    status: shippo_tracks.TrackStatus
    details: str | None = None
    at: datetime | None = None


class MailOrder(Order):
    """What happens to a mail; ``email`` names one recipient, the first by default, ``reason`` why."""

    event: Literal["processed", "deferred", "delivered", "bounce", "dropped", "open", "click", "spamreport", "unsubscribe"]
    email: str | None = None
    reason: str | None = None


class TextOrder(Order):
    """What becomes of a text; ``error_code`` is Twilio's, such as 30003."""

    status: Literal["queued", "sending", "sent", "delivered", "undelivered", "failed", "read", "canceled"]
    error_code: int | None = None


class PressOrder(Order):
    """Somebody presses a button under a message; ``value`` is the button's own unless given."""

    channel: str
    ts: str
    action_id: str = Field(min_length=1)
    value: str | None = None
    user: str = slack_events.PERSON


class SlackEventOrder(Order):
    """An event of the Events API; it has a ``type``."""

    event: dict[str, Any]


class DeploymentOrder(Order):
    """A new status of a deployment; ``payload`` is what the deployment was made with."""

    repository: str = Field(pattern=r"^[^/\s]+/[^/\s]+$")
    state: github_objects.DeploymentState
    deployment_id: int = Field(default=1, ge=1)
    environment: str = "production"
    ref: str = "main"
    payload: dict[str, Any] = Field(default_factory=dict)
    description: str = ""


class ProgressOrder(Order):
    """A new status of a deployment that was made here."""

    state: github_objects.DeploymentState
    description: str = ""


class CustomOrder(Order):
    """An event of a system of the company's own, such as ``packed`` with ``{"orderId": "…"}``."""

    type: str = Field(min_length=1, max_length=100)
    data: dict[str, Any]


class WorldDeeds:
    """The endpoints at everybody but Stripe."""

    def __init__(self, world: World) -> None:
        self._world = world

    def endpoints(self) -> list[tuple[str, str, Endpoint]]:
        """Return where they live."""
        return [
            ("POST", "/parcels/{number}", self.parcel),
            ("POST", "/mails/{id}", self.mail),
            ("POST", "/texts/{sid}", self.text),
            ("POST", "/slack/actions", self.press),
            ("POST", "/slack/events", self.slack_event),
            ("POST", "/slack/url-verification", self.slack_address),
            ("POST", "/github/deployment-status", self.deployment),
            ("POST", "/github/deployments/{id}", self.progress),
            ("POST", "/events/custom", self.custom),
        ]

    async def parcel(self, request: Request) -> Response:
        """Move a parcel."""
        order = ParcelOrder.model_validate(await json_of(request))

        def do() -> dict[str, Any]:
            at = order.at.isoformat() if order.at else None
            track = shippo_tracks.moved(self._world, request.path_params["number"], order.status, details=order.details, at=at)
            if track is None:
                raise Impossible(404, "no label has this tracking number")
            return track

        return await carried_out(self._world, do)

    async def mail(self, request: Request) -> Response:
        """Let something happen to a mail, named by its ``X-Message-Id`` or ``sg_message_id``."""
        order = MailOrder.model_validate(await json_of(request))

        def do() -> dict[str, Any]:
            store, identity = self._world.store, request.path_params["id"]
            mail = store.get(sendgrid_events.NAME, "mail", identity) or next(
                store.newest_first(sendgrid_events.NAME, "mail", parent=identity), None
            )
            if mail is None:
                raise Impossible(404, "there is no such mail")
            address = order.email or mail["recipients"][0]
            if address not in mail["recipients"]:
                raise Impossible(409, "the mail did not go there")
            return sendgrid_events.tell(self._world, mail, order.event, address, **({"reason": order.reason} if order.reason else {}))

        return await carried_out(self._world, do)

    async def text(self, request: Request) -> Response:
        """Let something become of a text."""
        order = TextOrder.model_validate(await json_of(request))

        def do() -> dict[str, Any]:
            message = twilio_messages.became(self._world, request.path_params["sid"], order.status, order.error_code)
            if message is None:
                raise Impossible(404, "there is no such text")
            return message

        return await carried_out(self._world, do)

    async def press(self, request: Request) -> Response:
        """Press a button under a message."""
        order = PressOrder.model_validate(await json_of(request))

        def do() -> dict[str, Any]:
            message = self._world.store.get(slack_events.NAME, "message", f"{order.channel}:{order.ts}")
            if message is None:
                raise Impossible(404, "there is no such message")
            return slack_events.press(self._world, order.channel, message, order.action_id, value=order.value, person=order.user)

        return await carried_out(self._world, do)

    async def slack_event(self, request: Request) -> Response:
        """Tell the app an event."""
        order = SlackEventOrder.model_validate(await json_of(request))
        if not order.event.get("type"):
            raise ValueError("an event has a `type`")
        return await carried_out(self._world, lambda: slack_events.tell_event(self._world, order.event))

    async def slack_address(self, request: Request) -> Response:
        """Check the app's address; what it answered stands in the delivery."""
        del request
        return await carried_out(self._world, lambda: slack_events.check_address(self._world))

    async def deployment(self, request: Request) -> Response:
        """Tell of a new status of a deployment that was made elsewhere."""
        order = DeploymentOrder.model_validate(await json_of(request))
        return await carried_out(self._world, lambda: github_events.deployment_status(self._world, **order.model_dump()))

    async def progress(self, request: Request) -> Response:
        """Give a deployment that was made here a new status, as whoever deploys does."""
        order = ProgressOrder.model_validate(await json_of(request))

        def do() -> dict[str, Any]:
            status = github_events.progress(self._world, request.path_params["id"], order.state, order.description)
            if status is None:
                raise Impossible(404, "there is no such deployment")
            return status

        return await carried_out(self._world, do)

    async def custom(self, request: Request) -> Response:
        """Have a system of the company's own tell something."""
        order = CustomOrder.model_validate(await json_of(request))
        return await carried_out(self._world, lambda: custom_events.tell(self._world, order.type, order.data))
