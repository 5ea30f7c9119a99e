"""The gateway's application: its routes, its errors, and what it opens and closes."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import asyncpg
from fastapi import FastAPI, Request, status
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import SQLAlchemyError

from gateway import health, orders
from gateway.faults import database_down, invalid
from gateway.limits import BodyLimit
from hub.database import engine
from hub.intake import NoNewAttempt, NothingToResume, OrderDiffers, PaymentMethodMissing
from hub.order_rows import NoSuchOrder
from hub.per_loop import close_all
from hub.views import BadCursor

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

BODY_LIMIT_BYTES = 1024 * 1024


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    del app
    await engine()
    yield
    await close_all()


def create_app() -> FastAPI:
    """Return the gateway's application."""
    app = FastAPI(title="Integration Hub", version="1", lifespan=_lifespan)
    app.add_middleware(BodyLimit, limit_bytes=BODY_LIMIT_BYTES)
    app.include_router(orders.router)
    app.include_router(health.router)
    app.exception_handler(RequestValidationError)(invalid)
    for trouble in (SQLAlchemyError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
        app.exception_handler(trouble)(database_down)
    for error, code in (
        (NoSuchOrder, status.HTTP_404_NOT_FOUND),
        (OrderDiffers, status.HTTP_409_CONFLICT),
        (NoNewAttempt, status.HTTP_409_CONFLICT),
        (NothingToResume, status.HTTP_409_CONFLICT),
        (PaymentMethodMissing, status.HTTP_422_UNPROCESSABLE_CONTENT),
        (BadCursor, status.HTTP_422_UNPROCESSABLE_CONTENT),
    ):
        app.exception_handler(error)(_answering(code))
    return app


def _answering(code: int) -> Any:
    async def answer(request: Request, error: Exception) -> JSONResponse:
        del request
        differs = {"differs": error.paths} if isinstance(error, OrderDiffers) else {}
        return JSONResponse({"detail": str(error), **differs}, status_code=code)

    return answer
