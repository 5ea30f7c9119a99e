"""The gateway's application: its routes, its errors, and what it opens and closes."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, Request, status
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import SQLAlchemyError

from gateway import health, orders
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
    app.exception_handler(RequestValidationError)(_invalid)
    app.exception_handler(SQLAlchemyError)(_database_down)
    app.exception_handler(OSError)(_database_down)
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


async def _invalid(request: Request, error: RequestValidationError) -> JSONResponse:
    """Name each wrong field and what is wrong with it; what was sent is not echoed."""
    del request
    faults = error.errors()
    if any(fault["type"] == "json_invalid" for fault in faults):
        return JSONResponse({"detail": "the body is not JSON"}, status_code=status.HTTP_400_BAD_REQUEST)
    problems = [{"field": _path(fault["loc"]), "problem": fault["msg"].removeprefix("Value error, ")} for fault in faults]
    detail = "; ".join(f"{problem['field']}: {problem['problem']}" for problem in problems)
    return JSONResponse({"detail": detail, "errors": problems}, status_code=status.HTTP_422_UNPROCESSABLE_CONTENT)


def _path(place: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in place if part not in ("body", "path", "query")) or "body"


async def _database_down(request: Request, error: Exception) -> JSONResponse:
    del request, error
    return JSONResponse(
        {"detail": "the database does not answer; nothing was stored, try again"}, status_code=status.HTTP_503_SERVICE_UNAVAILABLE
    )
