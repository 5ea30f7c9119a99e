"""
GitHub, rehearsed: deployments of any repository, their statuses, and the deliveries of a repository's webhook.

A ref ``no-such-ref`` is none, ``conflicting`` cannot be merged, ``behind`` is merged first unless ``auto_merge`` is false; a required
context whose name begins with ``red`` has failed.

Source: https://docs.github.com/en/rest/deployments/deployments
"""

from __future__ import annotations

import json
from typing import Any

from starlette.requests import Request

from sandbox.calls import Answer, Call, Operation, Provider, Rejected
from sandbox.effects import subject_of
from sandbox.github_events import add_status, tell_deployment
from sandbox.github_hooks import list_deliveries, redeliver
from sandbox.github_objects import NAME, new_deployment, next_id

STATES = ("error", "failure", "inactive", "in_progress", "queued", "pending", "success")
_KEYS = ("github_pat_", "ghp_", "ghs_")
_DOCS = "https://docs.github.com/rest"
_LONGEST_DESCRIPTION, _MOST_PER_PAGE = 140, 100
_WORDS = {401: "Bad credentials", 403: "Resource not accessible by personal access token", 404: "Not Found"}


def _user(call: Call) -> Answer:
    del call
    return Answer(200, {"login": "hub-rehearsal", "id": 1, "type": "User"})


def _create(call: Call) -> Answer:
    repository, ref = _repository(call), call.values.get("ref")
    if not isinstance(ref, str) or not ref:
        raise _invalid("Validation Failed", field="ref", code="missing_field")
    if ref == "no-such-ref":
        raise _problem(422, f"No ref found for: {ref}")
    if ref == "conflicting":
        raise _problem(409, f"Conflict merging main into {ref}.")
    if ref == "behind" and call.values.get("auto_merge", True):
        return Answer(202, {"message": f"Auto-merged main into {ref} on deployment."})
    if failed := [context for context in call.values.get("required_contexts") or [] if str(context).startswith("red")]:
        contexts = [{"context": context, "state": "failure"} for context in failed]
        errors = [{"contexts": contexts, "resource": "Deployment", "field": "required_contexts", "code": "invalid"}]
        raise _problem(409, f"Conflict: Commit status checks failed for {ref}.", errors=errors)
    deployment = new_deployment(
        next_id(call.store, "deployment"),
        repository,
        ref=ref,
        environment=str(call.values.get("environment") or "production"),
        payload=call.values.get("payload") or {},
        description=_description(call),
        api=call.base_url,
    )
    call.store.put(NAME, "deployment", str(deployment["id"]), deployment | {"repository": repository}, parent=repository)
    call.world.effects.record("github.deployment", str(deployment["id"]), _payload(deployment))
    tell_deployment(call.world, repository, deployment)
    return Answer(201, deployment)


def _list(call: Call) -> Answer:
    wanted = {name: call.values[name] for name in ("sha", "ref", "task", "environment") if call.values.get(name)}
    found = [
        {name: value for name, value in deployment.items() if name != "repository"}
        for deployment in call.store.newest_first(NAME, "deployment", parent=_repository(call))
        if all(deployment[name] == value for name, value in wanted.items())
    ]
    return Answer(200, json.dumps(_page(call, found)), {"Content-Type": "application/json"})


def _read(call: Call) -> Answer:
    return Answer(200, _deployment(call))


def _create_status(call: Call) -> Answer:
    deployment, state = _deployment(call), call.values.get("state")
    if state not in STATES:
        raise _invalid("Validation Failed", field="state", code="invalid")
    status = add_status(call.world, _repository(call), deployment, state, _description(call) or "")
    call.world.effects.record("github.status", str(status["id"]), _payload(deployment) | {"state": state})
    return Answer(201, status)


def _list_statuses(call: Call) -> Answer:
    deployment = _deployment(call)
    found = list(call.store.newest_first(NAME, "status", parent=str(deployment["id"])))
    return Answer(200, json.dumps(_page(call, found)), {"Content-Type": "application/json"})


def _page(call: Call, found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    size = min(int(call.values.get("per_page") or 30), _MOST_PER_PAGE)
    first = (int(call.values.get("page") or 1) - 1) * size
    return found[first : first + size]


def _repository(call: Call) -> str:
    return f"{call.parts['owner']}/{call.parts['repo']}"


def _deployment(call: Call) -> dict[str, Any]:
    deployment = call.store.get(NAME, "deployment", call.parts["id"])
    if deployment is None or deployment.pop("repository") != _repository(call):
        raise _problem(404, _WORDS[404])
    return deployment


def _description(call: Call) -> str | None:
    description = call.values.get("description")
    if description is not None and len(str(description)) > _LONGEST_DESCRIPTION:
        raise _invalid("Validation Failed", field="description", code="custom")
    return None if description is None else str(description)


def _payload(deployment: dict[str, Any]) -> dict[str, Any]:
    payload = deployment["payload"]
    return payload if isinstance(payload, dict) else {"payload": payload}


def _problem(status: int, message: str, **more: Any) -> Rejected:
    return Rejected(Answer(status, {"message": message, **more, "documentation_url": _DOCS, "status": str(status)}))


def _invalid(message: str, *, field: str, code: str) -> Rejected:
    return _problem(422, message, errors=[{"resource": "Deployment", "field": field, "code": code}])


class GitHub(Provider):
    """GitHub's REST API below ``/github``."""

    name = NAME
    prefix = "/github"
    latency_ms = 60
    operations = (
        Operation("who am I", "GET", "/user", _user),
        Operation("create deployment", "POST", "/repos/{owner}/{repo}/deployments", _create),
        Operation("list deployments", "GET", "/repos/{owner}/{repo}/deployments", _list),
        Operation("read deployment", "GET", "/repos/{owner}/{repo}/deployments/{id}", _read),
        Operation("create status", "POST", "/repos/{owner}/{repo}/deployments/{id}/statuses", _create_status),
        Operation("list statuses", "GET", "/repos/{owner}/{repo}/deployments/{id}/statuses", _list_statuses),
        Operation("list deliveries", "GET", "/repos/{owner}/{repo}/hooks/{hook}/deliveries", list_deliveries),
        Operation("redeliver", "POST", "/repos/{owner}/{repo}/hooks/{hook}/deliveries/{id}/attempts", redeliver),
    )

    def read(self, request: Request, body: bytes) -> dict[str, Any]:
        """Return the JSON body, or the query."""
        if request.method == "GET" or not body:
            return dict(request.query_params)
        try:
            values = json.loads(body)
        except ValueError as error:
            raise _problem(400, "Problems parsing JSON") from error
        if not isinstance(values, dict):
            raise _problem(400, "Body should be a JSON object")
        return values

    def credential(self, request: Request) -> str | None:
        """Return the Bearer token."""
        scheme, _, value = request.headers.get("authorization", "").partition(" ")
        return value.strip() or None if scheme.lower() in {"bearer", "token"} else None

    def turned_away(self, credential: str | None, *, revoked: bool) -> Answer | None:
        """Let tokens in that look like GitHub's and were not revoked."""
        if credential is None or not credential.startswith(_KEYS) or revoked:
            return Answer(401, self.failure(401))
        return None

    def unknown(self, method: str, path: str) -> Answer:
        """Say that there is no such address."""
        del method, path
        return Answer(404, self.failure(404))

    def failure(self, status: int) -> dict[str, Any]:
        """Return the error that GitHub gives with ``status``."""
        return {"message": _WORDS.get(status, "Server Error"), "documentation_url": _DOCS, "status": str(status)}

    def headers(self, request_id: str, key: str | None) -> dict[str, str]:
        """Return the request's id as GitHub names it."""
        del key
        return {"X-GitHub-Request-Id": request_id}

    def subject(self, call: Call) -> str | None:
        """Look into the deployment's payload, the new one's or that of the one that is meant."""
        payload = call.values.get("payload")
        if not isinstance(payload, dict):
            payload = _payload(call.store.get(NAME, "deployment", call.parts.get("id", "")) or {"payload": {}})
        return subject_of(payload)
