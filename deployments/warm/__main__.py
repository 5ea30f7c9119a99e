"""
A warm worker in the foreground: ``python -m deployments.warm --pool hub [--processes N]``.

The same as ``prefect worker start --type hub-warm``, only that it starts in 2 s instead of 4, and that it can be several processes.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys

from deployments.layout import POOL
from hub.provider_log import write_log


def main() -> int:
    """Work until SIGTERM; the exit code says whether the worker wants to be started again."""
    parser = argparse.ArgumentParser(prog="python -m deployments.warm")
    parser.add_argument("--pool", default=POOL, help="work pool to take runs from")
    parser.add_argument("--name", help="name of the worker in Prefect's UI")
    parser.add_argument("--processes", type=int, default=1, help="processes that share the pool, for several cores")
    wanted = parser.parse_args()
    name = wanted.name or f"hub {os.uname().nodename} {os.getpid()}"
    if wanted.processes > 1:
        from deployments.warm.processes import keep_several  # noqa: PLC0415 - it starts processes and needs nothing of Prefect

        return keep_several(wanted.pool, name, wanted.processes)
    from blocks.telemetry import start_tracing  # noqa: PLC0415
    from deployments.warm.pool import WarmWorker  # noqa: PLC0415 - a parent of several processes need not import Prefect

    start_tracing("hub-worker")
    write_log()
    asyncio.run(WarmWorker(work_pool_name=wanted.pool, name=name).start())
    return 0


if __name__ == "__main__":
    sys.exit(main())
