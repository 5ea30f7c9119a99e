"""The pages for people: what has left the hub, what lives in the sandbox, and the bank's page where a customer proves who it is."""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Awaitable, Callable, Mapping
from importlib.resources import files
from typing import Any
from urllib.parse import urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from sandbox import stripe_attempts
from sandbox.callback_signing import iso
from sandbox.calls import Provider
from sandbox.handling import Reception
from sandbox.outbox import LATEST, Outbox
from sandbox.stripe_objects import NAME as STRIPE

LONGEST_SUBJECT = 200
GUARDED = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self' data:; frame-src 'self'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
}
AS_A_MAILBOX = GUARDED | {
    "Content-Security-Policy": "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'"
}
"""A mail is somebody else's page: it runs nothing, loads nothing, and belongs to no origin."""
Endpoint = Callable[[Request], Awaitable[Response]]
_templates = Environment(loader=PackageLoader("sandbox"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
_templates.filters["clock"] = lambda at: time.strftime("%H:%M:%S", time.gmtime(at))
_templates.filters["moment"] = iso


class Pages:
    """What a browser on this machine sees; no secrets. What customers were sent is shown as it looks, and can do nothing."""

    def __init__(self, reception: Reception, providers: Mapping[str, Provider]) -> None:
        self._reception, self._providers = reception, providers

    def routes(self) -> list[Route]:
        """Return where the pages live."""
        return [
            Route("/", _for_this_machine(self.overview), methods=["GET"]),
            Route("/mails/{id}", _for_this_machine(self.mail), methods=["GET"]),
            Route("/style.css", _stylesheet, methods=["GET"]),
            Route("/stripe/3ds/{id}", self.ask_customer, methods=["GET"]),
            Route("/stripe/3ds/{id}", self.customer_decided, methods=["POST"]),
        ]

    async def overview(self, request: Request) -> Response:
        """Show the outbox, of everybody or about one subject, and then what lives where, the counts, and the latest webhooks."""
        about = request.query_params.get("about", "").strip()[:LONGEST_SUBJECT] or None
        world = self._reception.world
        homes = [
            (name, provider.prefix, self._reception.latency_ms[name], sorted({operation.name for operation in provider.operations}))
            for name, provider in self._providers.items()
        ]
        words: dict[str, Any] = {
            "about": about,
            "outbox": Outbox(world, about),
            "homes": homes,
            "latest": LATEST,
            "counts": world.effects.counts(),
        }
        told = world.callbacks.deliveries()[:LATEST]
        return _page("overview", **words, effects=world.effects.latest(LATEST), told=told, address=world.callbacks.calling.url)

    async def mail(self, request: Request) -> Response:
        """Show a mail's HTML as a mailbox does."""
        mail = self._reception.world.store.get("sendgrid", "mail", request.path_params["id"])
        html = next((str(part.get("value")) for part in (mail or {}).get("content") or [] if part.get("type") == "text/html"), None)
        if html is None:
            return PlainTextResponse("There is no such mail, or it has no HTML.", 404, GUARDED)
        return HTMLResponse(html, headers=AS_A_MAILBOX)

    async def ask_customer(self, request: Request) -> Response:
        """Ask the customer to approve a payment."""
        intent = self._reception.world.store.get(STRIPE, "payment_intent", request.path_params["id"])
        if intent is None:
            return _page("customer", 404, title="No such payment")
        if intent["status"] != "requires_action":
            return _page("customer", title="Nothing to approve", says=f"This payment is {intent['status']}.")
        money = f"{intent['amount']} {intent['currency']} (minor units)"
        return _page("customer", title="Your bank, rehearsed", says=f"A shop asks for {money}. Is that you?", asks=True)

    async def customer_decided(self, request: Request) -> Response:
        """Go on with the payment and send the customer back to the shop."""
        form = await request.form()
        outcome = form.get("outcome")
        if outcome not in {"approve", "fail"}:
            return _page("customer", 422, title="Approve or fail?", says="The form needs an outcome: approve or fail.")
        world = self._reception.world
        with world.store.transaction():
            intent = world.store.get(STRIPE, "payment_intent", request.path_params["id"])
            if intent is None or intent["status"] != "requires_action":
                return _page("customer", 409, title="Nothing to approve")
            back = (intent["next_action"].get("redirect_to_url") or {}).get("return_url")
            stripe_attempts.authenticated(world, intent, approved=outcome == "approve")
        await world.callbacks.early_ones()
        if not back:
            return _page("customer", title="Thank you", says=f"This payment is {intent['status']}.")
        told = urlencode(
            {
                "payment_intent": intent["id"],
                "payment_intent_client_secret": intent["client_secret"],
                "redirect_status": "succeeded" if intent["status"] in {"succeeded", "processing", "requires_capture"} else "failed",
            }
        )
        return RedirectResponse(f"{back}{'&' if '?' in back else '?'}{told}", 303)


def _page(template: str, status: int = 200, /, **words: Any) -> HTMLResponse:
    return HTMLResponse(_templates.get_template(f"{template}.html").render(words), status, GUARDED)


async def _stylesheet(request: Request) -> Response:
    del request
    return Response((files("sandbox") / "style.css").read_text(), media_type="text/css", headers=GUARDED)


def _for_this_machine(endpoint: Endpoint) -> Endpoint:
    """Refuse who comes under a name of the internet: such a name may lead here from a page of somebody else, which would read along."""

    async def guarded(request: Request) -> Response:
        if not _is_local(request.url.hostname or ""):
            return PlainTextResponse("Come by the address of this machine, such as http://127.0.0.1.", 403, GUARDED)
        return await endpoint(request)

    return guarded


def _is_local(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return "." not in name
    return True
