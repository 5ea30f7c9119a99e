"""`hub release`: start a release, see how far it is, hear its whole story, let it go on."""

from __future__ import annotations

import asyncio
import sys
import time
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any

from cyclopts import App, Parameter

from deployments.gateway_client import GatewayClient, gateway_client
from deployments.options import AsJson, Flag, Happened
from deployments.problems import Problem
from deployments.subject_commands import explain_subject, resolve_subject, resume_subject, show_subject
from deployments.telling_stories import print_json

release = App(name="release", help="One release: start, show, explain, retry, resolve.")

OVER = ("success", "failure", "error", "inactive", "refused", "timed_out", "needs_attention")


@release.command
async def start(
    release_id: str,
    *,
    repository: str,
    ref: str,
    environment: str,
    check: Annotated[tuple[str, ...], Parameter(negative="")] = (),
    wait: Flag = False,
) -> None:
    """
    Start a release; the same release again changes nothing.

    Args:
        release_id: Letters, digits, dot, underscore and dash; at most 64.
        repository: Owner and name, e.g. example/shop.
        ref: Branch, tag or commit.
        environment: Where to, e.g. production.
        check: A check that must have passed, by name; can be given several times.
        wait: Stay until it is over, and print it.
    """
    body = {"repository": repository, "ref": ref, "environment": environment, "requiredContexts": list(check)}
    async with gateway_client() as gateway:
        code, view = await gateway.ask("PUT", f"/releases/{release_id}", body)
        what = "started" if code == HTTPStatus.CREATED else "known already, unchanged"
        sys.stdout.write(f"{release_id}: {what}; {view['status']}\n")
        if wait:
            print_json(await released(gateway, release_id, *OVER, within_seconds=1800))


@release.command
async def show(release_id: str, *, as_json: AsJson = False) -> None:
    """
    Show how far a release is.

    Args:
        release_id: The release.
        as_json: Print what GET /releases/{id} answers.
    """
    await show_subject("release", release_id, as_json=as_json)


@release.command
async def explain(release_id: str, *, as_json: AsJson = False) -> None:
    """
    Tell a release's whole story: facts, calls to providers, looks and runs, oldest first.

    Args:
        release_id: The release.
        as_json: Print what GET /releases/{id}/timeline answers.
    """
    await explain_subject("release", release_id, as_json=as_json)


@release.command
async def retry(release_id: str) -> None:
    """
    Let a release go on now that needs attention, or waits. What was done is not done twice.

    Args:
        release_id: The release.
    """
    await resume_subject("release", release_id)


@release.command
async def resolve(release_id: str, step: str, *, happened: Happened, reference: str | None = None, by: str = "") -> None:
    """
    Tell the ledger what came of a step of which nobody knows, or which you have seen to yourself; then the release goes on.

    Args:
        release_id: The release.
        step: As the release's attention and `hub release explain` name it, e.g. message.
        happened: Whether it has happened at the provider; if not, it is asked for again.
        reference: The provider's id of what has happened, e.g. a message's.
        by: Who says so; by default the user at this terminal.
    """
    await resolve_subject("release", release_id, step, happened=happened, reference=reference, by=by)


async def released(gateway: GatewayClient, release_id: str, *statuses: str, within_seconds: float = 120) -> dict[str, Any]:
    """
    Return the release once it has one of these statuses, and no run is at work on it.

    Raises:
        Problem: It has none of them after ``within_seconds``.
    """
    deadline = time.monotonic() + within_seconds
    while time.monotonic() < deadline:
        _, view = await gateway.ask("GET", f"/releases/{release_id}")
        if view["status"] in statuses and not _is_due(view):
            return dict(view)
        await asyncio.sleep(0.1)
    raise Problem(f"release {release_id} is {view['status']} after {within_seconds:.0f} s; see `hub release explain {release_id}`")


def _is_due(view: dict[str, Any]) -> bool:
    return view["resumeAt"] is not None and datetime.fromisoformat(view["resumeAt"]) <= datetime.now(UTC)
