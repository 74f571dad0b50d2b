"""User code in threads of its own pool, with what it prints routed to the run's log."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from daggr.engine.capture import printing_to

T = TypeVar("T")

MAX_THREADS = 64


class ThreadWorker:
    """A pool of threads for user functions; nothing else runs there."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(MAX_THREADS, thread_name_prefix="daggr-fn")

    async def submit(self, task: Callable[[], T], log: Callable[[str], None]) -> T:
        """Run a task to its end; what it prints goes to `log` as well as to the terminal."""

        def run() -> T:
            with printing_to(log):
                return task()

        context = contextvars.copy_context()
        return await asyncio.get_running_loop().run_in_executor(self._pool, context.run, run)

    def close(self) -> None:
        """Let go of the threads; those that still run are not waited for."""
        self._pool.shutdown(wait=False, cancel_futures=True)
