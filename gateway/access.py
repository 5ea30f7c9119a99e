"""Who may ask what: bearer keys with scopes."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, HTTPException, Security, status
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer, SecurityScopes

from hub.api_keys import find_key

_bearer = HTTPBearer(auto_error=False, description="A key made with `hub keys add NAME`.")


async def _opened(needed: SecurityScopes, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]) -> str:
    """Return the name of the key."""
    if credentials is None:
        raise _unauthorised("send a key: Authorization: Bearer <key>; make one with `hub keys add NAME`")
    key = await find_key(credentials.credentials)
    if key is None:
        raise _unauthorised("this key is unknown or revoked")
    if missing := set(needed.scopes) - set(key.scopes):
        raise HTTPException(status.HTTP_403_FORBIDDEN, f"this key does not open {', '.join(sorted(missing))}")
    return key.name


def _unauthorised(why: str) -> HTTPException:
    return HTTPException(status.HTTP_401_UNAUTHORIZED, why, headers={"WWW-Authenticate": "Bearer"})


MAY_READ = Security(_opened, scopes=["orders:read"])
MAY_WRITE = Security(_opened, scopes=["orders:write"])
MayWrite = Annotated[str, MAY_WRITE]
"""The name of the key that asks."""
MAY_READ_SIGNUPS = Security(_opened, scopes=["signups:read"])
MAY_WRITE_SIGNUPS = Security(_opened, scopes=["signups:write"])
MayWriteSignups = Annotated[str, MAY_WRITE_SIGNUPS]
MAY_READ_METRICS = Security(_opened, scopes=["metrics:read"])
MAY_READ_APPROVALS = Security(_opened, scopes=["approvals:read"])
MayDecide = Annotated[str, Security(_opened, scopes=["approvals:decide"])]
"""The name of the key that answers."""
MAY_READ_RELEASES = Security(_opened, scopes=["releases:read"])
MAY_WRITE_RELEASES = Security(_opened, scopes=["releases:write"])
MayWriteReleases = Annotated[str, MAY_WRITE_RELEASES]
