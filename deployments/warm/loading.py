"""Loads flows from their module entrypoints, once per process."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
from collections import defaultdict
from typing import Any

from prefect.blocks.core import Block
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import WorkPoolFilter, WorkPoolFilterName
from prefect.filesystems import WritableFileSystem
from prefect.flows import Flow, load_flow_from_entrypoint
from prefect.settings import get_current_settings

AnyFlow = Flow[..., Any]


class Unloadable(Exception):
    """A flow cannot be loaded. That is the end of its run and of no other."""


class Flows:
    """The flows that this process has loaded, by entrypoint. New code on disk needs a new process."""

    def __init__(self) -> None:
        self._loaded: dict[str, AnyFlow] = {}
        self._loading: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._storage: WritableFileSystem | None = None

    async def load(self, entrypoint: str | None) -> AnyFlow:
        """
        Return the flow at ``entrypoint``, importing its module on the first call, in a thread so that other runs go on.

        Raises:
            Unloadable: It cannot be imported, or is no flow; the next call tries again.
        """
        if entrypoint is None or ":" in entrypoint or "." not in entrypoint:
            raise Unloadable(f"a warm worker loads flows from module entrypoints like flows.sweep.sweep, and not from {entrypoint!r}")
        async with self._loading[entrypoint]:
            if entrypoint not in self._loaded:
                self._loaded[entrypoint] = await self._with_storage(await asyncio.to_thread(_imported, entrypoint))
        return self._loaded[entrypoint]

    async def load_ahead(self, client: PrefectClient, pool: str) -> None:
        """Load what is deployed to ``pool``, so that no first run has to wait for an import. What cannot be loaded is told when it runs."""
        deployed = await client.read_deployments(work_pool_filter=WorkPoolFilter(name=WorkPoolFilterName(any_=[pool])))
        for entrypoint in {one.entrypoint for one in deployed} - set(self._loaded):
            with contextlib.suppress(Unloadable):
                await self.load(entrypoint)

    async def _with_storage(self, flow: AnyFlow) -> AnyFlow:
        """
        Return the flow with its result storage at hand.

        Prefect would otherwise load the default storage block anew in every run, with a call that blocks the event loop: 2 x 15 ms.
        """
        slug = get_current_settings().results.default_storage_block
        if flow.result_storage is not None or slug is None:
            return flow
        if self._storage is None:
            block = await Block.aload(slug)
            if not isinstance(block, WritableFileSystem):
                return flow
            self._storage = block
        return flow.with_options(result_storage=self._storage)


def _imported(entrypoint: str) -> AnyFlow:
    importlib.invalidate_caches()  # it may have been installed since the last attempt
    try:
        return load_flow_from_entrypoint(entrypoint, use_placeholder_flow=False)
    except (Exception, SystemExit) as failure:
        cause = failure.__cause__ or failure
        raise Unloadable(f"{entrypoint} cannot be loaded: {type(cause).__name__}: {cause}") from failure
