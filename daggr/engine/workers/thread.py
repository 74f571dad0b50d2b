"""User code in threads, with what it prints routed to the run's log.

The threads are daemons: a function that never returns does not keep the program from ending. They are used again, for
starting one takes longer than most tasks; one that has had nothing to do for a while ends.
"""

from __future__ import annotations

import contextvars
import itertools
import threading
import time
from collections import deque
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from daggr.engine.capture import printing_to
from daggr.engine.workers.handle import Handle, Stop
from daggr.engine.workers.usercode import UserCode

T = TypeVar("T")
IDLE_SECONDS = 30.0
INTERRUPT_SECONDS = 1.0
INTERRUPT_EVERY = 0.25

_numbers = itertools.count(1)


class ThreadHandle(Handle[T]):
    """A task in a thread.

    Stopping: the flag and `on_stop` at once; after the grace `Stopped` is raised in user code, again and again, for a
    second; then it is abandoned. Its thread goes on, and `on_end` tells when it ends after all.
    """

    def __init__(self, work: Callable[[UserCode], T], log: Callable[[str], None]) -> None:
        super().__init__()
        self._work = work
        self._log = log
        self._user = UserCode()

    def perform(self, before: Callable[[], None]) -> None:
        """Do the work, in the thread and context this is called in."""
        value, error, user = None, None, self._user
        try:
            with printing_to(self._tell):
                value = self._work(user)
        except BaseException as raised:  # noqa: BLE001  (it is raised again where the result is awaited)
            error = raised
        user.end()
        self._finish(value, error, before)

    def _tell(self, text: str) -> None:
        with self._user.aside():
            self._log(text)

    async def _stop(self, grace: float) -> Stop:
        self._user.stop()
        if await self._end(grace):
            return "stopped"
        deadline = time.monotonic() + INTERRUPT_SECONDS
        while (left := deadline - time.monotonic()) > 0:
            self._user.interrupt()
            if await self._end(min(left, INTERRUPT_EVERY)):
                return "stopped"
        return "abandoned"


class ThreadWorker:
    """Runs each task in a thread; how many there are at once is the scheduler's business."""

    def __init__(self, idle_seconds: float = IDLE_SECONDS) -> None:
        self.idle_seconds = idle_seconds
        self.idle: deque[_Thread] = deque()

    def submit(
        self,
        work: Callable[[UserCode], T],
        log: Callable[[str], None],
        context: contextvars.Context | None = None,
    ) -> Handle[T]:
        """Begin a task; what it prints goes to `log` as well as to the terminal.

        It runs in `context`, or in a copy of the one this is called in.
        """
        handle = ThreadHandle(work, log)
        try:
            thread = self.idle.pop()  # the one that worked last
        except IndexError:
            thread = _Thread(self)
        thread.tasks.put((handle, context if context is not None else contextvars.copy_context()))
        return handle

    def close(self) -> None:
        """Let the idle threads end; those at work end when they would be idle."""
        self.idle_seconds = 0.0
        while True:
            try:
                self.idle.pop().tasks.put(None)
            except IndexError:
                return


_Work = tuple[ThreadHandle[Any], contextvars.Context]


class _Thread:
    def __init__(self, worker: ThreadWorker) -> None:
        self.tasks: SimpleQueue[_Work | None] = SimpleQueue()
        self._worker = worker
        threading.Thread(target=self._serve, name=f"daggr-fn-{next(_numbers)}", daemon=True).start()

    def _serve(self) -> None:
        task = self.tasks.get()
        while task is not None:
            handle, context = task
            context.run(handle.perform, self._rest)
            del handle, context, task  # a thread at rest keeps nothing alive
            try:
                task = self.tasks.get(timeout=self._worker.idle_seconds)
            except Empty:
                try:
                    self._worker.idle.remove(self)
                    return
                except ValueError:  # it has just been taken for a task
                    task = self.tasks.get()

    def _rest(self) -> None:
        self._worker.idle.append(self)
