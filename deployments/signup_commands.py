"""`hub signup`: place a sign-up, see what became of it, hear its whole story, let it go on."""

from __future__ import annotations

import asyncio
import sys
import time
from http import HTTPStatus
from typing import Any

from cyclopts import App

from deployments.examples import EXAMPLE_SIGNUP
from deployments.gateway_client import GatewayClient, gateway_client
from deployments.options import AsJson, Flag, Happened, RequestFile
from deployments.problems import Problem
from deployments.request_files import read_request
from deployments.subject_commands import explain_subject, resolve_subject, resume_subject, show_subject
from deployments.telling_stories import print_json

signup = App(name="signup", help="One sign-up: place, show, explain, retry, resolve.")

IN_PROGRESS = "IN_PROGRESS"


@signup.command
async def place(signup_id: str, *, file: RequestFile = None, strict: Flag = False, wait: Flag = False) -> None:
    """
    Place a sign-up; the same sign-up again changes nothing.

    Args:
        signup_id: Letters, digits, dot, underscore and dash; at most 64.
        file: The sign-up as JSON; `-` reads standard input. Without it, the tutorial's example is placed.
        strict: A payment that fails takes the profile back.
        wait: Stay until there is a report, and print it.
    """
    body = EXAMPLE_SIGNUP if file is None else read_request(file)
    critical = {"critical": ["profile", "payment"]} if strict else {}
    async with gateway_client() as gateway:
        code, view = await gateway.ask("PUT", f"/signups/{signup_id}", body, **critical)
        what = "placed" if code == HTTPStatus.CREATED else "known already, unchanged"
        sys.stdout.write(f"{view['signupId']}: {what}; {view['status']}\n")
        if wait:
            view = await reported(gateway, view["signupId"])
            print_json(view)


@signup.command
async def show(signup_id: str, *, as_json: AsJson = False) -> None:
    """
    Show what became of a sign-up.

    Args:
        signup_id: The sign-up.
        as_json: Print what GET /signups/{id} answers.
    """
    await show_subject("signup", signup_id, as_json=as_json)


@signup.command
async def explain(signup_id: str, *, as_json: AsJson = False) -> None:
    """
    Tell a sign-up's whole story: facts, calls to providers, looks and runs, oldest first.

    Args:
        signup_id: The sign-up.
        as_json: Print what GET /signups/{id}/timeline answers.
    """
    await explain_subject("signup", signup_id, as_json=as_json)


@signup.command
async def retry(signup_id: str) -> None:
    """
    Let a sign-up go on now that needs attention, waits, or failed for want of the profile service. What was done is not done twice.

    Args:
        signup_id: The sign-up.
    """
    await resume_subject("signup", signup_id)


@signup.command
async def resolve(signup_id: str, step: str, *, happened: Happened, reference: str | None = None, by: str = "") -> None:
    """
    Tell the ledger what came of a step of which nobody knows, or which you have seen to yourself; then the sign-up goes on.

    Args:
        signup_id: The sign-up.
        step: As the sign-up's attention and `hub signup explain` name it, e.g. welcome-mail.
        happened: Whether it has happened at the provider; if not, it is asked for again.
        reference: The provider's id of what has happened, e.g. a message id.
        by: Who says so; by default the user at this terminal.
    """
    await resolve_subject("signup", signup_id, step, happened=happened, reference=reference, by=by)


async def reported(gateway: GatewayClient, signup_id: str, *, within_seconds: float = 120) -> dict[str, Any]:
    """
    Return the sign-up once there is a report.

    Raises:
        Problem: There is none after ``within_seconds``.
    """
    deadline = time.monotonic() + within_seconds
    while time.monotonic() < deadline:
        _, view = await gateway.ask("GET", f"/signups/{signup_id}")
        if view["status"] != IN_PROGRESS:
            return dict(view)
        await asyncio.sleep(0.1)
    raise Problem(f"sign-up {signup_id} is still in progress after {within_seconds:.0f} s; see `hub signup explain {signup_id}`")
