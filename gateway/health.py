"""Whether the gateway can do its work."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, Response, status
from pydantic import BaseModel
from sqlalchemy import text

from hub.database import transaction

router = APIRouter(tags=["health"])


class Health(BaseModel):
    """``ok`` when orders are taken."""

    ok: bool
    database: Literal["up", "down"]


@router.get("/health")
async def get_health(response: Response) -> Health:
    """Tell whether orders are taken; 503 when the database does not answer. Prefect may be down: orders are kept all the same."""
    try:
        async with transaction() as session:
            await session.exec(text("SELECT 1"))  # type: ignore[call-overload]  # SQLModel knows no plain text
    except Exception:  # noqa: BLE001 - whatever it is, the answer is the same
        response.status_code = status.HTTP_503_SERVICE_UNAVAILABLE
        return Health(ok=False, database="down")
    return Health(ok=True, database="up")
