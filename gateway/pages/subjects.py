"""One subject's page with its whole story, and what a person may do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from blocks.process_server import address_of_run
from gateway.pages.guards import Asked, Endpoint
from gateway.pages.rendering import page
from gateway.starting import start
from hub import enrolling, releasing
from hub.dossiers import Dossier, dossier
from hub.facets import Status
from hub.intake import go_on, raise_attempt
from hub.money import Money
from hub.resolving import NothingToResolve, resolve, untold
from hub.views import view_order

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from gateway.pages.guards import Deed
    from gateway.pages.sessions import Session

TRIED_ANEW = (Status.PAYMENT_FAILED, Status.OUT_OF_STOCK)
TOPICS = (
    ("money", "Money"),
    ("parcel", "Parcel"),
    ("messages", "Messages"),
    ("undoing", "Taken back"),
    ("elsewhere", "Elsewhere"),
)
_PERSON = ("customer", "shipping", "email", "fullName", "phoneNumber", "preferences")
_GOODS = ("initialPayment", "repository", "ref", "environment", "requiredContexts")


def shown_with_story(kind: str) -> Endpoint:
    """Return the page of one subject of this kind."""

    async def one(request: Request) -> Response:
        session: Session = request.state.session
        subject_id = request.path_params["id"]
        found = await dossier(kind, subject_id)
        words: dict[str, Any] = {
            "one": found,
            "person": _lines(found.request, _PERSON) if session.opens("customers:read") else None,
            "goods": _items(found) + _lines(found.request, _GOODS),
            "topics": [(title, [step for step in found.steps if step.topic == topic]) for topic, title in TOPICS],
            "runs": [(run, address_of_run(run.run_id)) for run in found.runs],
            "untold": (await untold([(kind, subject_id)])).get((kind, subject_id), []),
            "tries_anew": kind == "order" and found.status in TRIED_ANEW,
        }
        return page(request, "subject", **words)

    return one


def retried(kind: str) -> Deed:
    """Return the deed that lets a subject of this kind go on now, or try anew, as `hub order retry` does."""

    async def retry(asked: Asked) -> str:
        subject_id = asked.request.path_params["id"]
        told = f"{kind} {subject_id} goes on."
        match kind:
            case "order":
                order = await view_order(subject_id)
                if order.status in TRIED_ANEW:
                    told = f"Attempt {order.attempt + 1} of order {subject_id} begins."
                    await raise_attempt(subject_id, order.attempt + 1, asked.field("payment_method") or None, by=asked.by)
                else:
                    await go_on(subject_id, by=asked.by)
            case "signup":
                await enrolling.go_on_with(subject_id, by=asked.by)
            case _:
                await releasing.go_on_with(subject_id, by=asked.by)
        asked.later.add_task(start, kind, subject_id)
        return told[0].upper() + told[1:]

    return retry


def resolved(kind: str) -> Deed:
    """Return the deed that takes a person's word for what came of a step."""

    async def take_word(asked: Asked) -> str:
        subject_id, step, word = asked.request.path_params["id"], asked.field("step"), asked.field("word")
        if word not in ("happened", "did not happen"):
            raise NothingToResolve(f"{kind} {subject_id}", step, "say whether it happened or did not")
        await resolve(kind, subject_id, step, happened=word == "happened", reference=asked.field("reference") or None, by=asked.by)
        asked.later.add_task(start, kind, subject_id)
        return f"Noted of {kind} {subject_id}: {step} {word}, says {asked.by}. It goes on."

    return take_word


def _items(found: Dossier) -> list[tuple[str, str]]:
    """Return what was ordered, a line for each product, as far as it is an order."""
    currency = found.money.currency if found.money else ""
    lines = [
        (item["quantity"], item["productId"], Money(amount=item["price"], currency=currency)) for item in found.request.get("items", ())
    ]
    return [(f"item {number}", f"{quantity} of {product}, {each} each") for number, (quantity, product, each) in enumerate(lines, 1)]


def _lines(request: dict[str, Any], names: tuple[str, ...]) -> list[tuple[str, str]]:
    """Return what stands under these names as lines of text; what is not there has none."""
    return [line for name in names if name in request for line in _flat(name, request[name])]


def _flat(name: str, value: Any) -> list[tuple[str, str]]:
    match value:
        case dict():
            return [line for part, inner in value.items() for line in _flat(f"{name} {part}", inner)]
        case list():
            return [line for number, inner in enumerate(value, 1) for line in _flat(f"{name} {number}", inner)]
        case None | "":
            return []
        case _:
            return [(name, str(value))]
