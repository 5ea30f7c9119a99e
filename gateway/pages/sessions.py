"""
Who is signed in: a cookie that is signed, not a row, so that any of several gateways that share ``HUB_HOME`` knows it.

The cookie holds the key's name and when it ends, never the key. It counts as long as the key does: a revoked key, or another key of its
name, ends it at once.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hub.api_keys import digest_of, find_key, living_key
from hub.private_files import kept
from hub.settings import settings

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from hub.api_keys import KeyInfo

PATH = "/ui"
COOKIE, NOTICE_COOKIE = "hub_session", "hub_said"
SESSION_SECONDS = 8 * 3600
NOTICE_SECONDS = 60
LONGEST_NOTICE, LONGEST_COOKIE = 800, 1000
SIGNING_KEY = "page_signing_key"


@dataclass(frozen=True)
class Session:
    """Somebody who has shown a key; ``form_token`` is what each of their forms has to bring along."""

    key: KeyInfo
    form_token: str

    def opens(self, scope: str) -> bool:
        """Tell whether the key opens this."""
        return scope in self.key.scopes


async def begin(response: Response, request: Request, secret: str) -> bool:
    """Sign in whoever shows this key, for eight hours; False when nobody made it or it was revoked."""
    key = await find_key(secret)
    if key is None:
        return False
    content = _packed({"name": key.name, "until": int(time.time()) + SESSION_SECONDS, "nonce": secrets.token_urlsafe(12)})
    _keep(response, request, COOKIE, f"{content}.{_signature('session', content, digest_of(secret))}", SESSION_SECONDS)
    return True


def end(response: Response) -> None:
    """Sign out."""
    response.delete_cookie(COOKIE, path=PATH)


async def session_of(request: Request) -> Session | None:
    """Return who asks, or None when that is nobody who is signed in."""
    cookie = request.cookies.get(COOKIE, "")
    if len(cookie) > LONGEST_COOKIE:
        return None
    content, _, signature = cookie.partition(".")
    try:
        told = _unpacked(content)
        name, until = str(told["name"]), float(told["until"])
    except (ValueError, KeyError, TypeError):
        return None
    known = await living_key(name) if until > time.time() else None
    if known is None or not hmac.compare_digest(signature.encode(), _signature("session", content, known[1]).encode()):
        return None
    return Session(key=known[0], form_token=_signature("form", cookie))


def say(response: Response, request: Request, what: str) -> None:
    """Let the next page say what came of it."""
    content = _packed({"said": what[:LONGEST_NOTICE]})
    _keep(response, request, NOTICE_COOKIE, f"{content}.{_signature('notice', content)}", NOTICE_SECONDS)


def said(request: Request) -> str | None:
    """Return what the page before wanted to be said here."""
    content, _, signature = request.cookies.get(NOTICE_COOKIE, "").partition(".")
    if not content or not hmac.compare_digest(signature.encode(), _signature("notice", content).encode()):
        return None
    return str(_unpacked(content)["said"])


def forget_said(response: Response) -> None:
    """Say it once."""
    response.delete_cookie(NOTICE_COOKIE, path=PATH)


def _keep(response: Response, request: Request, name: str, value: str, seconds: int) -> None:
    secure = request.url.scheme == "https"
    response.set_cookie(name, value, max_age=seconds, path=PATH, httponly=True, samesite="strict", secure=secure)


def _signature(*parts: str) -> str:
    signing_key = kept(settings().home.expanduser().resolve(), SIGNING_KEY, lambda: secrets.token_urlsafe(32))
    return hmac.new(signing_key.encode(), "\n".join(parts).encode(), hashlib.sha256).hexdigest()


def _packed(content: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")  # which a cookie would have to quote


def _unpacked(content: str) -> Any:
    return json.loads(base64.b64decode(content + "=" * (-len(content) % 4), altchars=b"-_", validate=True))
