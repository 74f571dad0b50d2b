"""The engine's event loop, in a thread of its own: servers come and go, and a script without one runs just the same."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")


class LoopThread:
    """Runs coroutines for callers of any thread."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="daggr-engine", daemon=True)
        self._thread.start()

    def submit(self, coroutine: Coroutine[Any, Any, T]) -> Future[T]:
        """Start a coroutine; its future can be waited for anywhere."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    def call(self, work: Callable[[], object]) -> None:
        """Do something in the loop, soon."""
        with contextlib.suppress(RuntimeError):  # the loop has ended, and all that was in it
            self._loop.call_soon_threadsafe(work)

    def close(self) -> None:
        """Cancel what still runs, and end the thread."""

        async def cancel_all() -> None:
            tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(cancel_all(), self._loop).result(timeout=5)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=5)
        self._loop.close()
