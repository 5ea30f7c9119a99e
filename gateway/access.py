"""Who may ask what: bearer keys with scopes."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, HTTPException, Security, status
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer, SecurityScopes

from hub.api_keys import key_scopes

_bearer = HTTPBearer(auto_error=False, description="A key made with `hub keys add NAME`.")


async def _opened(needed: SecurityScopes, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]) -> None:
    if credentials is None:
        raise _unauthorised("send a key: Authorization: Bearer <key>; make one with `hub keys add NAME`")
    scopes = await key_scopes(credentials.credentials)
    if scopes is None:
        raise _unauthorised("this key is unknown or revoked")
    if missing := set(needed.scopes) - set(scopes):
        raise HTTPException(status.HTTP_403_FORBIDDEN, f"this key does not open {', '.join(sorted(missing))}")


def _unauthorised(why: str) -> HTTPException:
    return HTTPException(status.HTTP_401_UNAUTHORIZED, why, headers={"WWW-Authenticate": "Bearer"})


MAY_READ = Security(_opened, scopes=["orders:read"])
MAY_WRITE = Security(_opened, scopes=["orders:write"])
MAY_READ_SIGNUPS = Security(_opened, scopes=["signups:read"])
MAY_WRITE_SIGNUPS = Security(_opened, scopes=["signups:write"])
