"""The two pages for people: what lives in the sandbox, and the bank's page where a customer proves who it is."""

from __future__ import annotations

import time
from collections.abc import Mapping
from html import escape
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from sandbox import stripe_attempts
from sandbox.callback_signing import iso
from sandbox.calls import Provider
from sandbox.handling import Reception
from sandbox.stripe_objects import NAME as STRIPE

_LATEST = 20
_FRAME = """<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title><style>body{{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222}}
table{{border-collapse:collapse;width:100%}}td,th{{text-align:left;padding:.3rem .8rem .3rem 0;border-bottom:1px solid #ddd}}
code{{background:#f3f3f3;padding:.1rem .3rem}}button{{font:inherit;padding:.5rem 1rem;margin-right:1rem}}</style></head>
<body><h1>{title}</h1>{body}</body></html>"""


class Pages:
    """What a browser sees; no secrets and no personal data."""

    def __init__(self, reception: Reception, providers: Mapping[str, Provider]) -> None:
        self._reception, self._providers = reception, providers

    def routes(self) -> list[Route]:
        """Return where the pages live."""
        return [
            Route("/", self.overview, methods=["GET"]),
            Route("/stripe/3ds/{id}", self.ask_customer, methods=["GET"]),
            Route("/stripe/3ds/{id}", self.customer_decided, methods=["POST"]),
        ]

    async def overview(self, request: Request) -> Response:
        """Show what lives where, the counts, the latest effects by id, and the latest webhooks."""
        del request
        effects = self._reception.world.effects
        homes = "".join(
            f"<tr><td>{escape(name)}</td><td><code>{escape(provider.prefix)}</code></td><td>{self._reception.latency_ms[name]:g} ms</td>"
            f"<td>{escape(', '.join(sorted({operation.name for operation in provider.operations})))}</td></tr>"
            for name, provider in self._providers.items()
        )
        counts = "".join(f"<tr><td>{escape(name)}</td><td>{many}</td></tr>" for name, many in effects.counts().items())
        latest = "".join(
            f"<tr><td>{one['n']}</td><td>{time.strftime('%H:%M:%S', time.gmtime(one['at']))} UTC</td>"
            f"<td>{escape(one['provider'])} {escape(one['kind'])}</td><td><code>{escape(one['id'])}</code></td></tr>"
            for one in effects.latest(_LATEST)
        )
        told = "".join(
            f"<tr><td>{escape(iso(one.at))}</td><td>{escape(one.first.provider)}</td>"
            f"<td>{escape(', '.join(callback.kind for callback in one.callbacks))}</td><td>{one.state}</td><td>{one.attempts}</td>"
            f"<td>{one.status or escape(one.error or '')}</td></tr>"
            for one in self._reception.world.callbacks.deliveries()[:_LATEST]
        )
        address = self._reception.world.callbacks.calling.url
        body = (
            "<p>Rehearsal providers: everything here is play, no money moves and no mail leaves. Control lives below "
            "<code>/_sandbox/</code> and wants the token.</p>"
            f"<h2>What lives where</h2><table><tr><th>Provider</th><th>Path</th><th>Latency</th><th>Operations</th></tr>{homes}</table>"
            f"<h2>What really happened</h2><table><tr><th>Effect</th><th>Count</th></tr>{counts}</table>"
            f"<h2>Latest</h2><table><tr><th>No.</th><th>At</th><th>Effect</th><th>Id</th></tr>{latest}</table>"
            f"<h2>Latest webhooks</h2><p>{f'They go to <code>{escape(address)}</code>.' if address else 'Nobody is called.'}</p>"
            f"<table><tr><th>At</th><th>Provider</th><th>Kind</th><th>State</th><th>Attempts</th><th>Answer</th></tr>{told}</table>"
        )
        return HTMLResponse(_FRAME.format(title="Integration Hub sandbox", body=body))

    async def ask_customer(self, request: Request) -> Response:
        """Ask the customer to approve a payment."""
        intent = self._reception.world.store.get(STRIPE, "payment_intent", request.path_params["id"])
        if intent is None:
            return HTMLResponse(_FRAME.format(title="No such payment", body=""), 404)
        if intent["status"] != "requires_action":
            return HTMLResponse(_FRAME.format(title="Nothing to approve", body=f"<p>This payment is {escape(intent['status'])}.</p>"))
        money = f"{intent['amount']} {escape(intent['currency'])} (minor units)"
        buttons = '<button name="outcome" value="approve">Approve</button><button name="outcome" value="fail">Fail</button>'
        body = f'<p>A shop asks for {money}. Is that you?</p><form method="post">{buttons}</form>'
        return HTMLResponse(_FRAME.format(title="Your bank, rehearsed", body=body))

    async def customer_decided(self, request: Request) -> Response:
        """Go on with the payment and send the customer back to the shop."""
        form = await request.form()
        outcome = form.get("outcome")
        if outcome not in {"approve", "fail"}:
            return HTMLResponse(_FRAME.format(title="Approve or fail?", body="<p>The form needs an outcome: approve or fail.</p>"), 422)
        world = self._reception.world
        with world.store.transaction():
            intent = world.store.get(STRIPE, "payment_intent", request.path_params["id"])
            if intent is None or intent["status"] != "requires_action":
                return HTMLResponse(_FRAME.format(title="Nothing to approve", body=""), 409)
            back = (intent["next_action"].get("redirect_to_url") or {}).get("return_url")
            stripe_attempts.authenticated(world, intent, approved=outcome == "approve")
        await world.callbacks.early_ones()
        if not back:
            return HTMLResponse(_FRAME.format(title="Thank you", body=f"<p>This payment is {escape(intent['status'])}.</p>"))
        told = urlencode(
            {
                "payment_intent": intent["id"],
                "payment_intent_client_secret": intent["client_secret"],
                "redirect_status": "succeeded" if intent["status"] in {"succeeded", "processing", "requires_capture"} else "failed",
            }
        )
        return RedirectResponse(f"{back}{'&' if '?' in back else '?'}{told}", 303)
