"""User code in threads of its own, with what it prints routed to the run's log.

The threads are daemons: a function that never returns does not keep the program from ending.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import itertools
import threading
from collections.abc import Callable
from typing import TypeVar

from daggr.engine.capture import printing_to

T = TypeVar("T")
_numbers = itertools.count(1)


class ThreadWorker:
    """Runs each task in a new thread; how many there are at once is the scheduler's business."""

    async def submit(self, task: Callable[[], T], log: Callable[[str], None]) -> T:
        """Run a task to its end; what it prints goes to `log` as well as to the terminal."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.create_future()

        def finish(result: T | None, error: BaseException | None) -> None:
            if done.cancelled():
                return
            if error is not None:
                done.set_exception(error)
            else:
                done.set_result(result)  # type: ignore[arg-type]

        def run() -> None:
            result, error = None, None
            try:
                with printing_to(log):
                    result = task()
            except BaseException as raised:  # noqa: BLE001  (it is raised again where the result is awaited)
                error = raised if _can_travel(raised) else RuntimeError(f"{type(raised).__name__}: {raised}")
            with contextlib.suppress(RuntimeError):  # the loop has ended: nobody waits any more
                loop.call_soon_threadsafe(finish, result, error)

        context = contextvars.copy_context()
        threading.Thread(target=context.run, args=(run,), name=f"daggr-fn-{next(_numbers)}", daemon=True).start()
        return await done


def _can_travel(error: BaseException) -> bool:
    """Whether an error can be raised in the engine's loop: exits and the like would end it."""
    return isinstance(error, Exception) and not isinstance(error, (StopIteration, StopAsyncIteration))
