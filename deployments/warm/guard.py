"""
The main thread of a warm worker: it takes signals, watches memory and the event loop, and never waits for either.

The event loop with all the runs lives in a thread of its own. So a flow that blocks it cannot keep the process from noticing; and Prefect's
engine, which installs a signal handler around every run when it finds itself in the main thread, leaves ours in peace.
"""

from __future__ import annotations

import asyncio
import contextvars
import gc
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import psutil  # type: ignore[import-untyped]  # it ships no types
import uvloop
from prefect.logging import get_logger

from deployments.warm.settings import LAST_WORDS_SECONDS, WorkerSettings

log = get_logger("hub_warm")
WATCH_SECONDS = BEAT_SECONDS = 0.5
STALL_WARNING_SECONDS = 1.0
GARBAGE_THRESHOLDS = (20_000, 25, 50)
"""Python's default looks through Prefect's large heap all the time: 0.12 instead of 0.15 s of CPU per order with these (2 cores, 3.11)."""
EXIT_REPLACE_ME = 75  # EX_TEMPFAIL: whoever supervises the worker starts it again
MEGABYTE = 1024 * 1024


class Guard:
    """Runs ``work`` in an event loop of its own thread, and watches over it. ``stopping`` and ``patience_seconds`` are read there."""

    def __init__(self, settings: WorkerSettings) -> None:
        self.patience_seconds = settings.stop_seconds
        self.exit_code = 0
        self._settings = settings
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None
        self._beat_at = time.monotonic()
        self._told_of_stall = False
        self._stop_by: float | None = None
        self._failure: BaseException | None = None

    @property
    def stopping(self) -> asyncio.Event:
        """Set when the worker shall stop."""
        if self._stopping is None:
            raise RuntimeError("only the guarded work may ask")
        return self._stopping

    def watch(self, work: Callable[[], Coroutine[Any, Any, None]]) -> int:
        """Return the process's exit code when ``work`` is over; what it raised is raised here."""
        context = contextvars.copy_context()
        thread = threading.Thread(target=lambda: context.run(self._run, work), name="flow runs", daemon=True)
        with self._signals():
            thread.start()
            while thread.is_alive():
                thread.join(WATCH_SECONDS)
                self._look_at_the_loop(thread)
                self._look_at_the_memory()
                if self._stop_by is not None and time.monotonic() > self._stop_by and thread.is_alive():
                    self._die("did not stop in time")
        if self._failure is not None:
            raise self._failure
        return self.exit_code

    def stop(self, why: str, patience_seconds: float, exit_code: int = 0) -> None:
        """Have the worker stop: no new runs, and those in hand are given ``patience_seconds``; the shortest that was said counts."""
        stop_by = time.monotonic() + patience_seconds + LAST_WORDS_SECONDS
        if self._stop_by is None:
            log.info("stopping: %s", why)
            self.patience_seconds, self.exit_code, self._stop_by = patience_seconds, exit_code, stop_by
        elif stop_by < self._stop_by:
            self.patience_seconds, self._stop_by = patience_seconds, stop_by
        if self._loop is not None and self._stopping is not None:
            self._loop.call_soon_threadsafe(self._stopping.set)

    def _run(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        async def guarded() -> None:
            self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
            if self._stop_by is not None:
                self._stopping.set()
            self._beat()
            await work()

        gc.set_threshold(*GARBAGE_THRESHOLDS)
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(guarded())
        except BaseException as failure:  # noqa: BLE001 - raised again in the main thread
            self._failure = failure

    def _beat(self) -> None:
        self._beat_at = time.monotonic()
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_later(BEAT_SECONDS, self._beat)

    def _look_at_the_loop(self, thread: threading.Thread) -> None:
        still_seconds = time.monotonic() - self._beat_at - BEAT_SECONDS
        if still_seconds < STALL_WARNING_SECONDS or self._loop is None or not thread.is_alive():
            self._told_of_stall = False
        elif not self._told_of_stall:
            self._told_of_stall = True
            log.warning("all runs wait: the event loop stands still, in %s\n%s", self._who_runs(), _stack_of(thread))
        if still_seconds > self._settings.stall_seconds and self._loop is not None and thread.is_alive():
            self._die(f"the event loop stood still for {still_seconds:.0f} s, in {self._who_runs()}")

    def _look_at_the_memory(self) -> None:
        used = psutil.Process().memory_info().rss / MEGABYTE
        if used > 2 * self._settings.memory_mb:
            self._die(f"{used:.0f} MB of memory are more than twice HUB_WORKER_MEMORY_MB={self._settings.memory_mb}")
        if used > self._settings.memory_mb and self._stop_by is None:
            why = f"{used:.0f} MB of memory are more than HUB_WORKER_MEMORY_MB={self._settings.memory_mb}; a new process shall go on"
            self.stop(why, self._settings.drain_seconds, EXIT_REPLACE_ME)

    def _who_runs(self) -> str:
        task = None if self._loop is None else asyncio.current_task(self._loop)
        return "the worker itself" if task is None else task.get_name()

    def _die(self, why: str) -> None:
        """End this process at once; the next one, or another worker, clears away what it held."""
        log.error("killing this worker (process %s): %s", os.getpid(), why)
        os._exit(EXIT_REPLACE_ME)

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """The first SIGTERM or SIGINT lets the runs finish, a second one hands them back at once."""

        def received(number: int, frame: FrameType | None) -> None:
            del frame
            patience = self._settings.stop_seconds if self._stop_by is None else 0
            self.stop(f"received {signal.Signals(number).name}", patience)

        before = {number: signal.signal(number, received) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _stack_of(thread: threading.Thread) -> str:
    frame = sys._current_frames().get(thread.ident or 0)  # noqa: SLF001 - the documented way to another thread's stack
    return "" if frame is None else "".join(traceback.format_stack(frame)[-8:])
