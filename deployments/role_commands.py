"""`hub sandbox`, `hub gateway`, `hub worker`: one role in the foreground, for people who supervise processes themselves."""

from __future__ import annotations

import os
import sys
from typing import Annotated, Literal
from urllib.parse import urlsplit

from cyclopts import Parameter, validators

from deployments.layout import POOL
from deployments.ports import HOST
from deployments.warm.settings import WARM
from hub.settings import settings


def sandbox(*, host: str = HOST, port: int | None = None) -> None:
    """
    Run the rehearsal providers in the foreground.

    Args:
        host: Address to listen on.
        port: Port to listen on; by default the one of HUB_SANDBOX_URL.
    """
    chosen = port if port is not None else urlsplit(settings().sandbox_url).port
    _become("sandbox", "--host", host, "--port", str(chosen), "--home", str(settings().home / "sandbox"))


def gateway(*, host: str = HOST, port: int | None = None, only: Literal["webhooks", "orders"] | None = None) -> None:
    """
    Run the gateway in the foreground.

    Args:
        host: Address to listen on.
        port: Port to listen on; by default the one of HUB_GATEWAY_URL.
        only: Only webhooks, or only orders, so that the outside reaches nothing but webhooks. Set HUB_PUBLIC_URL then.
    """
    chosen = port if port is not None else urlsplit(settings().gateway_url).port
    _become("gateway", "--host", host, "--port", str(chosen), *(() if only is None else ("--only", only)))


def worker(*, pool: str = POOL, type: str = WARM, processes: Annotated[int, Parameter(validator=validators.Number(gte=1))] = 1) -> None:  # noqa: A002 - the option is called --type, as Prefect calls it
    """
    Run a worker in the foreground, at the Prefect server that PREFECT_API_URL names.

    Args:
        pool: Work pool to poll.
        type: Kind of worker: hub-warm, or any that Prefect knows.
        processes: How many warm workers share the pool, for several cores.
    """
    if type == WARM:
        _become("deployments.warm", "--pool", pool, "--processes", str(processes))
    else:
        _become("prefect", "worker", "start", "--pool", pool, "--type", type)


def _become(module: str, *arguments: str) -> None:
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", module, *arguments])  # noqa: S606 - one of our own modules; becoming it is the point
