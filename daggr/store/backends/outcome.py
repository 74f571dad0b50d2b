"""What became of work in other threads.

The threads are daemons: one that hangs on a network must not keep the process from ending.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from itertools import chain, islice
from types import TracebackType
from typing import Generic, TypeVar, cast

T = TypeVar("T")

_END = object()


class Outcome(Generic[T]):
    """A call in a thread of its own: its value, or whatever it raised. `then` follows it there, in any case.

    Raises:
        RuntimeError: the process can have no more threads.
    """

    def __init__(self, name: str, call: Callable[[], T], then: Callable[[], None] = lambda: None) -> None:
        self._call = call
        self._then = then
        self._done = threading.Event()
        self._value: T | None = None
        self._error: BaseException | None = None
        threading.Thread(target=self._run, name=name, daemon=True).start()

    def wait(self, seconds: float | None = None) -> bool:
        """Wait for its end, for ever or for so long. Whether it came."""
        return self._done.wait(seconds)

    def result(self) -> T:
        """The value, or what was raised, raised again; once it has ended."""
        if self._error is not None:
            raise self._error
        return cast("T", self._value)

    def _run(self) -> None:
        with self:
            self._value = self._call()

    def __enter__(self) -> None:
        """What the block raises is kept, to be raised where the result is wanted."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> bool:
        self._error = error
        self._then()
        self._done.set()
        return True


def each(work: Callable[[T], None], many: Iterable[T], workers: int) -> None:
    """Do work for each of many, by up to `workers` threads; they are taken as they are needed.

    After the first failure no more is begun; what is under way ends, then the failure is raised.
    """
    left = iter(many)
    first = list(islice(left, workers))
    if len(first) < 2:
        for one in chain(first, left):
            work(one)
        return
    left, turn, over = chain(first, left), threading.Lock(), threading.Event()

    def labour() -> None:
        try:
            while not over.is_set():
                with turn:
                    one = next(left, _END)
                if one is _END:
                    return
                work(cast("T", one))
        finally:
            over.set()  # for the first that finds nothing left, as for the first that fails

    crew = [Outcome("daggr-remote", labour) for _ in first]
    for worker in crew:
        worker.wait()
    for worker in crew:
        worker.result()
