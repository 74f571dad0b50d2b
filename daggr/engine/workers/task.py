"""A task for a process, and its handle."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from daggr.engine.script import Origin
from daggr.engine.workers import wire
from daggr.engine.workers.childprocess import ChildProcess, Observer
from daggr.engine.workers.handle import Handle, Stop, Stopped

KILL_SECONDS = 5.0
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Task:
    """One execution of a node in a process.

    Attributes:
        origin: The script, from `origin_of`; None if there is no file to load.
        node: The node's name.
        fingerprint: What its definition is, vouched for or not (`Definition.exact`): the process runs nothing else.
        inputs: Its values, and `paths` the paths in them, both from `wire.pack_inputs`.
        folder: A private folder to write to.
        slot: The name of the place where it runs. The tasks of one slot run one after another.
        variant: Which variant, if the node is a choice.
        where: The line of the script that made the node.
    """

    origin: Origin | None
    node: str
    fingerprint: bytes
    inputs: Mapping[str, wire.Packed]
    paths: tuple[str, ...]
    folder: Path
    slot: str
    variant: str = ""
    where: str | None = None


@dataclass(frozen=True)
class Answer:
    """What came out, to be read with `wire.unpack`."""

    values: Mapping[str, wire.Packed]
    texts: frozenset[str]
    notes: tuple[str, ...]


class ProcessHandle(Handle[Answer]):
    """A task in a process.

    Stopping: `Stopped` is raised in the user's code at once, again and again; after the grace the process is killed
    with all that it started. What has not begun is dropped.
    """

    def __init__(self, task: Task, observer: Observer) -> None:
        super().__init__()
        self.task = task
        self.observer = observer
        self.number = next(_numbers)
        self.stopping = False
        self.begun = False
        self._process: ChildProcess | None = None
        self._once = threading.Lock()
        self._over = False

    def begin_in(self, process: ChildProcess) -> None:
        """It is about to run there.

        Raises:
            Stopped: nobody wants it any more.
        """
        with self._once:
            if self.stopping:
                raise Stopped
            self._process, self.begun = process, False

    def end(self, answer: Answer | None, error: BaseException | None) -> None:
        """It is over; the first end counts."""
        with self._once:
            over, self._over = self._over, True
        if not over:
            self._finish(answer, error)

    async def _stop(self, grace: float) -> Stop:
        with self._once:
            self.stopping = True
            process, begun = self._process, self.begun
        if process is None:
            self.end(None, Stopped())
            return "stopped"
        if begun and process.ask_to_stop(self.number) and await self._end(grace):
            return "stopped"
        threading.Thread(target=process.kill, daemon=True, name="daggr-kill").start()  # it looks through all processes
        return "stopped" if await self._end(KILL_SECONDS) else "abandoned"
