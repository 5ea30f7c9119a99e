"""
Loaded by a worker under proof, before anything else (PYTHONPATH): holds a run between the commit of an attempt and its first byte.

There is nothing outside of the process that a run waits for at that moment, so the hold has to be in it. Nothing else is changed.
"""

from __future__ import annotations

import asyncio
import importlib.abc
import importlib.util
import os
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

HELD, LEDGER = Path(os.environ["CRASH_PROOF_HELD"]), "hub.ledger"


async def held(key: str) -> None:
    """Wait while there is a file of this name; the wait is shown by another one."""
    asked = HELD / key
    if asked.exists():
        (HELD / f"{key}.here").touch()
        while asked.exists():  # noqa: ASYNC110 - the file is another process's
            await asyncio.sleep(0.02)


class _Loader(importlib.abc.Loader):
    """Loads the ledger as it is, and lets Begin hold whoever was told to ask."""

    def __init__(self, inner: importlib.abc.Loader) -> None:
        self._inner = inner

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._inner.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self._inner.exec_module(module)
        begin = module.begin

        async def begin_and_be_held(effect: Any, *rest: Any) -> Any:
            decided = await begin(effect, *rest)
            if isinstance(decided, module.Ask):
                await held(effect.key)
            return decided

        module.begin = begin_and_be_held  # type: ignore[attr-defined]  # the one place of the process that is touched


class _Finder(importlib.abc.MetaPathFinder):
    def find_spec(self, name: str, path: Any, target: Any = None) -> ModuleSpec | None:
        del path, target
        if name != LEDGER:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader)
        return spec


sys.meta_path.insert(0, _Finder())
