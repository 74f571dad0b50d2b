"""The writer: one thread that commits together what was submitted meanwhile (group commit).

A commit waits for the disk; whatever comes in during that time shares the next one.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any, Generic, TypeVar

from daggr.errors import StoreError
from daggr.store.tables import Txn

log = logging.getLogger("daggr.store")

MOST_TOGETHER = 1024
T = TypeVar("T")


class Operation(Generic[T]):
    """A change of the index that waits for its turn. `after` is called when it has been decided, before the future."""

    def __init__(self, work: Callable[[Txn], T], after: Callable[[], None] | None = None) -> None:
        self.work = work
        self.future: Future[T] = Future()
        self.future.set_running_or_notify_cancel()  # what is decided here cannot be called off
        self._after = after

    def succeed(self, result: T) -> None:
        """It is durable."""
        self._end()
        self.future.set_result(result)

    def fail(self, error: BaseException) -> None:
        """Nothing of it was done."""
        self._end()
        self.future.set_exception(error)

    def _end(self) -> None:
        if self._after is not None:
            try:
                self._after()
            except OSError as error:  # it is decided; what was left behind is swept later
                log.warning("could not tidy up: %s", error)


class Writer:
    """Hands operations to `commit`, many at a time, in its own thread. The thread starts with the first."""

    def __init__(self, commit: Callable[[Sequence[Operation[Any]]], None]) -> None:
        self._commit = commit
        self._waiting: deque[Operation[Any]] = deque()
        self._news = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closed = False

    def submit(self, operation: Operation[T]) -> Future[T]:
        """Add an operation.

        Raises:
            StoreError: the store is closed.
        """
        with self._news:
            if self._closed:
                raise StoreError("The store is closed.")
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="daggr-writer", daemon=True)
                self._thread.start()
            self._waiting.append(operation)
            self._news.notify()
        return operation.future

    def is_current(self) -> bool:
        """Whether the caller is the writer's own thread, which must not wait for itself."""
        return threading.current_thread() is self._thread

    def close(self) -> None:
        """Commit what waits, then end."""
        with self._news:
            self._closed = True
            self._news.notify()
        if self._thread is not None and not self.is_current():
            self._thread.join()

    def _run(self) -> None:
        while True:
            with self._news:
                while not self._waiting and not self._closed:
                    self._news.wait()
                if not self._waiting:
                    return
                together = [self._waiting.popleft() for _ in range(min(len(self._waiting), MOST_TOGETHER))]
            try:
                self._commit(together)
            except Exception as error:
                log.exception("the writer failed")
                for operation in together:
                    if not operation.future.done():
                        operation.fail(error)
