"""A slot: a process, and the thread that speaks with it."""

from __future__ import annotations

import itertools
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from queue import Empty, SimpleQueue

from daggr.engine.script import Origin
from daggr.engine.workers import wire
from daggr.engine.workers.childprocess import ChildProcess, Gone, Refusal
from daggr.engine.workers.handle import Lost, Stopped
from daggr.engine.workers.task import Answer, ProcessHandle
from daggr.errors import NodeFailedError

log = logging.getLogger(__name__)
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Preparation:
    """A script that is going to be needed."""

    origin: Origin
    node: str


Order = ProcessHandle | Preparation


class Slot:
    """Does one thing after another, in one process as long as that lives."""

    def __init__(self, execute: str, idle_seconds: float, leave: Callable[[Slot], bool]) -> None:
        self.orders: SimpleQueue[Order | None] = SimpleQueue()
        self._execute = execute
        self._idle_seconds = idle_seconds
        self._leave = leave
        self._process: ChildProcess | None = None
        self._closed = False
        self._thread = threading.Thread(target=self._serve, daemon=True, name=f"daggr-slot-{next(_numbers)}")
        self._thread.start()

    def close(self) -> None:
        """Kill the process, and wait until it is gone."""
        self._closed = True
        if (process := self._process) is not None:
            process.kill()
        self.orders.put(None)
        self._thread.join()

    def _serve(self) -> None:
        while True:
            try:
                order = self.orders.get(timeout=self._idle_seconds)
            except Empty:
                if self._leave(self):
                    break
                continue
            if order is None or self._closed:
                if isinstance(order, ProcessHandle):
                    order.end(None, Lost("The engine was closed before the node could run."))
                if order is None:
                    break
            elif isinstance(order, ProcessHandle):
                self._perform(order)
            else:
                self._prepare(order.origin, order.node)
            del order
        self._drop()

    def _perform(self, handle: ProcessHandle) -> None:
        try:
            answer, error = self._answer(handle), None
        except BaseException as raised:  # noqa: BLE001  (it is raised again where the result is awaited)
            answer, error = None, raised
        process = self._process
        if handle.stopping and process is not None and process.left_something():
            self._drop()
            process = None
        handle.end(answer, error)
        died = process is None or process.is_gone
        origin = handle.task.origin
        if died and origin is not None and not self._closed and not isinstance(error, NodeFailedError):
            self._prepare(origin, handle.task.node)

    def _answer(self, handle: ProcessHandle) -> Answer:
        """Have the task done, by a second process if the first died before it began, or knew an older script."""
        if (origin := handle.task.origin) is None:
            raise AssertionError("a task without a script")
        while True:
            process, is_fresh = self._current(origin, handle.task.node)
            handle.begin_in(process)
            try:
                return _talk(process, handle)
            except Gone:
                how, node = process.how_it_ended(), handle.task.node
                self._drop()
                if handle.stopping:
                    raise Stopped from None
                if handle.begun:
                    raise Lost(f"The process that ran {node!r} died: {how}.") from None
                if is_fresh:
                    raise Lost(f"The process for {node!r} died while it loaded the script: {how}.") from None
            except Refusal as refused:
                self._drop()
                if is_fresh or not refused.stale:
                    raise NodeFailedError(
                        str(refused), refused.hint, refused.where or handle.task.where, node=handle.task.node
                    ) from None

    def _current(self, origin: Origin, node: str) -> tuple[ChildProcess, bool]:
        """The process for a script, and whether it was started just now."""
        process = self._process
        if process is not None and (process.is_gone or process.origin != origin):
            self._drop()
            process = None
        if process is not None:
            return process, False
        self._process = process = ChildProcess(origin, node, self._execute)
        if self._closed:
            process.kill()
        return process, True

    def _prepare(self, origin: Origin, node: str) -> None:
        try:
            self._current(origin, node)
        except OSError as error:  # the next task will tell
            log.warning("a worker process could not be started: %s", error)

    def _drop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.close()
            self._process = None


def _talk(process: ChildProcess, handle: ProcessHandle) -> Answer:
    """Give a task to a process and listen until it is done."""
    task = handle.task

    def begun() -> None:
        handle.begun = True
        if handle.stopping:
            process.ask_to_stop(handle.number)

    process.wait_until_ready()
    announced = wire.announce(task.inputs)
    order = wire.Execute(
        handle.number, task.node, task.variant, task.fingerprint, str(task.folder), announced, task.paths
    )
    returned, values = process.perform(order, wire.contents(task.inputs), handle.observer, begun)
    return Answer(values, frozenset(returned.texts), returned.notes)
