"""What `hub` does alike with subjects of every kind: show one, tell its story, let it go on, take a person's word about it."""

from __future__ import annotations

import sys
from getpass import getuser

from deployments.gateway_client import gateway_client
from deployments.telling_stories import print_json, print_view, tell
from hub.resolving import resolve


async def show_subject(kind: str, subject_id: str, *, as_json: bool) -> None:
    """Print how far the subject is, or what the gateway answers about it."""
    async with gateway_client() as gateway:
        _, view = await gateway.ask("GET", f"/{kind}s/{subject_id}")
    if as_json:
        print_json(view)
    else:
        print_view(view)


async def explain_subject(kind: str, subject_id: str, *, as_json: bool) -> None:
    """Print the subject's whole story, or what the gateway answers about it."""
    async with gateway_client() as gateway:
        _, view = await gateway.ask("GET", f"/{kind}s/{subject_id}")
        _, story = await gateway.ask("GET", f"/{kind}s/{subject_id}/timeline")
    if as_json:
        print_json(story)
    else:
        tell(subject_id, view["status"], view["message"], story)


async def resume_subject(kind: str, subject_id: str) -> None:
    """Let the subject go on now, and say where it is."""
    async with gateway_client() as gateway:
        _, view = await gateway.ask("POST", f"/{kind}s/{subject_id}/resume")
    sys.stdout.write(f"{subject_id}: goes on; {view['status']}\n")


async def resolve_subject(kind: str, subject_id: str, step: str, *, happened: bool, reference: str | None, by: str) -> None:
    """Tell the ledger what came of a step; by default the user at this terminal says so."""
    await resolve(kind, subject_id, step, happened=happened, reference=reference, by=by or getuser())
    sys.stdout.write(f"{subject_id}: noted; it goes on with the next sweep\n")
