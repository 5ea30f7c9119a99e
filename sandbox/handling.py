"""
What happens to one request: who asks, is the key known, trouble before, time passes, the work, trouble after, the answer.

The work, its effects and the answer kept under the idempotency key are one transaction. A fault "before" leaves no trace; a fault
"after" comes when everything is committed, and only instead of the answer.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping
from typing import Any, NoReturn

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from sandbox import idempotency
from sandbox.calls import Answer, Call, Operation, Provider, Rejected, World, new_id
from sandbox.connections import HangUp
from sandbox.executioner import Executioner
from sandbox.faults import OWN, Fault, FaultBook, When
from sandbox.idempotency import KeptAnswers
from sandbox.journal import Entry, Journal

GARBAGE = '{"object": "\x00\xff truncated by a broken prox'


class Interrupted(Exception):
    """A fault takes the place of the true answer; ``answer`` None means that the line goes dead."""

    def __init__(self, answer: Answer | None) -> None:
        super().__init__(answer)
        self.answer = answer


class Reception:
    """Takes every request to a provider and gives its answer, or the ordered trouble."""

    def __init__(self, world: World, latency_ms: dict[str, float], executioner: Executioner) -> None:
        self.world, self.latency_ms, self.executioner = world, latency_ms, executioner
        self.faults, self.journal, self.kept = FaultBook(world.store), Journal(), KeptAnswers(world.store)

    def revoked(self, provider: str, credential: str | None) -> bool:
        """Whether the control API has revoked this key."""
        return credential is not None and self.world.store.get(OWN, "revoked", f"{provider}:{credential_digest(credential)}") is not None

    async def answer(self, provider: Provider, request: Request) -> Response:
        """Answer one request to ``provider``."""
        path = request.url.path.removeprefix(provider.prefix).rstrip("/") or "/"
        found = provider.operation_at(request.method, path)
        name = found[0].name if found else "unknown"
        key = request.headers.get("idempotency-key")
        request_id = new_id("req_", 14)
        with self.journal.following(provider=provider.name, operation=name, method=request.method, path=request.url.path, key=key) as entry:
            try:
                credential = self._admitted(provider, request)
                operation, parts = found or _nothing_there(provider, request.method, path)
                body = await request.body()
                call = Call(
                    world=self.world,
                    provider=provider.name,
                    operation=name,
                    method=request.method,
                    path=path,
                    base_url=f"{request.url.scheme}://{request.url.netloc}{provider.prefix}",
                    credential=credential,
                    values=provider.read(request, body),
                    parts=parts,
                    fingerprint=hashlib.sha256(b"&".join(sorted(body.split(b"&")))).hexdigest(),
                    key=key if provider.remembers_keys and request.method == "POST" else None,
                    request_id=request_id,
                )
                entry.subject = provider.subject(call)
                answer = await self._carried_out(provider, operation, call, entry)
            except Rejected as rejected:
                await self._time_passes(provider)
                answer = rejected.answer
            except Interrupted as interrupted:
                if interrupted.answer is None:
                    return HangUp()
                answer = interrupted.answer
            except asyncio.CancelledError:  # the server stops, and does not wait for what hangs
                return HangUp()
            entry.status = answer.status
            return _response(answer, provider.headers(request_id, key))

    def _admitted(self, provider: Provider, request: Request) -> str | None:
        credential = provider.credential(request)
        if refusal := provider.turned_away(credential, revoked=self.revoked(provider.name, credential)):
            raise Rejected(refusal)
        return credential

    async def _carried_out(self, provider: Provider, operation: Operation, call: Call, entry: Entry) -> Answer:
        known = self.kept.known(call)
        if known is not None:
            await self._trouble(provider, call, entry, "before")
            await self._time_passes(provider)
            entry.replayed = "Idempotent-Replayed" in known.headers
            if entry.replayed:
                await self._trouble(provider, call, entry, "after")
            return known
        with self.kept.executing(call):
            await self._trouble(provider, call, entry, "before")
            await self._time_passes(provider)
            try:
                with self.world.store.transaction():
                    answer = operation.work(call)
                    fault = self.faults.take(call, entry.subject, "after")
                    kept = answer if fault is None or fault.order.what != "status" else _status_answer(provider, fault)
                    self.kept.keep(call, kept)
            except Rejected as rejected:
                return rejected.answer
            entry.worked = True
            await self.world.callbacks.early_ones()
            if fault is not None:
                await self._happen(provider, call, entry, fault)
        return answer

    async def _time_passes(self, provider: Provider) -> None:
        if (milliseconds := self.latency_ms[provider.name]) > 0:
            await asyncio.sleep(milliseconds / 1000)

    async def _trouble(self, provider: Provider, call: Call, entry: Entry, when: When) -> None:
        if fault := self.faults.take(call, entry.subject, when):
            await self._happen(provider, call, entry, fault)

    async def _happen(self, provider: Provider, call: Call, entry: Entry, fault: Fault) -> None:
        """
        Make the trouble. Returns when it was only a matter of time.

        Raises:
            Interrupted: Something else than the true answer is to be given, or nothing.
        """
        order = fault.order
        entry.fault = {"id": fault.id, "when": order.when, "what": order.what}
        match order.what:
            case "delay":
                await asyncio.sleep(order.seconds or 0)
            case "hang":
                await self.faults.held(fault)
            case "drop":
                raise Interrupted(None)
            case "kill":
                entry.fault["pid"] = self.executioner.kill(order.role or "")
                raise Interrupted(None)
            case "garbage":
                raise Interrupted(
                    Answer(order.status or 200, GARBAGE if order.body is None else order.body, {"Content-Type": "application/json"})
                )
            case "status":
                raise Interrupted(_status_answer(provider, fault))
            case "conflict":
                raise Interrupted(idempotency.in_use(call.key or "none"))
            case "idempotency_error":
                sentence = "Keys for idempotent requests can only be used with the same parameters they were first used with."
                raise Interrupted(idempotency.mismatch(sentence, call.key or "none"))


def credential_digest(credential: str) -> str:
    """Return what stands for a key wherever the sandbox keeps one."""
    return hashlib.sha256(credential.encode()).hexdigest()


def _nothing_there(provider: Provider, method: str, path: str) -> NoReturn:
    raise Rejected(provider.unknown(method, path))


def _status_answer(provider: Provider, fault: Fault) -> Answer:
    status = fault.order.status or 500
    headers = {} if fault.order.retry_after is None else {"Retry-After": f"{fault.order.retry_after:g}"}
    return Answer(status, provider.failure(status) if fault.order.body is None else fault.order.body, headers)


def _response(answer: Answer, extra: Mapping[str, str]) -> Response:
    headers: dict[str, Any] = {**extra, **answer.headers}
    if isinstance(answer.body, dict):
        return JSONResponse(answer.body, answer.status, headers)
    kind = headers.pop("Content-Type", "text/html")
    return Response(answer.body.encode("latin-1", "replace") if answer.body else b"", answer.status, headers, media_type=kind)
