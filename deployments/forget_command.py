"""`hub forget`: erase a person and keep the accounts."""

from __future__ import annotations

import sys
from getpass import getuser

import httpx

from deployments import instance
from deployments.options import AsJson
from deployments.problems import Problem
from deployments.telling_stories import print_json
from hub.forgetting import Erased, forget_person, whoever_is
from hub.result_files import delete_results_with
from hub.settings import settings


async def forget(email: str, *, by: str = "", as_json: AsJson = False) -> None:
    """
    Erase a person: name, addresses, phone number and messages, from orders, sign-ups, webhooks, results and runs in Prefect.

    Amounts, ids, stock and the audit log stay. Refused while anything of theirs is under way. What providers have is named, not erased.

    Args:
        email: The mail address of their orders and sign-ups, in whatever letters.
        by: Who does it; by default the user at this terminal.
        as_json: Print what was erased as JSON.
    """
    home = settings().home.expanduser().resolve()
    instance.point_at_prefect(home)
    from blocks.process_server import delete_typed_runs  # noqa: PLC0415 - imports Prefect, which reads its settings then

    person = await whoever_is(email)
    results = delete_results_with(home, person.words)
    try:
        runs = sum([await delete_typed_runs(kind, subject_id) for kind, subject_id in person.subjects])
    except httpx.HTTPError as failure:
        message = f"Prefect does not answer ({type(failure).__name__}), and may have what was typed into its forms: start it, then again."
        raise Problem(message) from failure
    erased = await forget_person(person, by=by or getuser())
    if as_json:
        print_json(erased.model_dump(mode="json") | {"results": results, "runs": runs})
    else:
        sys.stdout.write(_said(erased, results, runs))


def _said(erased: Erased, results: int, runs: int) -> str:
    if not (erased.orders or erased.signups):
        return f"no order and no sign-up has this address; {erased.notices} webhooks and {results} results that named it are cleared\n"
    lines = [f"erased from {len(erased.orders)} orders and {len(erased.signups)} sign-ups: {', '.join((*erased.orders, *erased.signups))}"]
    lines.append(f"and from {erased.effects} messages and requests, {erased.facts} notes of people, {erased.notices} webhooks,")
    lines.append(f"{results} results and {runs} runs in Prefect, which are gone")
    if erased.elsewhere:
        lines.append("providers have what they were told until they are asked to forget it:")
        lines += [f"  {provider}: {', '.join(names)}" for provider, names in erased.elsewhere.items()]
    return "\n".join(lines) + "\n"
