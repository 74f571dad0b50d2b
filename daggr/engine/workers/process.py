"""User code in processes of their own, which can always be stopped: one warm process for each slot.

A slot is a place where one thing runs at a time. A thread of the engine's speaks with its process, which loads the
script once and runs many tasks. When it is killed, or dies, a fresh one begins to load the script at once.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

from daggr.engine.script import Origin
from daggr.engine.workers.childprocess import Observer
from daggr.engine.workers.handle import Handle
from daggr.engine.workers.slot import Order, Preparation, Slot
from daggr.engine.workers.task import Answer as Answer
from daggr.engine.workers.task import ProcessHandle
from daggr.engine.workers.task import Task as Task
from daggr.errors import NodeFailedError

EXECUTE = "daggr.engine.runners.function:execute"
IDLE_SECONDS = 600.0


class ProcessWorker:
    """Runs tasks in processes, one for each slot.

    Args:
        execute: What runs a node there, as `module:function`; it takes a Call and a UserCode.
        idle_seconds: How long a process that has nothing to do is kept.
    """

    def __init__(self, execute: str = EXECUTE, idle_seconds: float = IDLE_SECONDS) -> None:
        self._execute = execute
        self._idle_seconds = idle_seconds
        self._lock = threading.Lock()
        self._slots: dict[str, Slot] = {}

    def prepare(self, origin: Origin, slot: str, node: str = "") -> None:
        """Begin to load a script, so that a task of this slot need not wait for it."""
        self._give(slot, Preparation(origin, node))

    def submit(
        self,
        task: Task,
        log: Callable[[str], None],
        progress: Callable[[float | None, str], None],
        partial: Callable[[Mapping[str, Any]], None],
    ) -> Handle[Answer]:
        """Begin a task. The callables are called in a thread of the slot.

        Its result raises NodeFailedError as the node does, or if the script on disk is not the one that was loaded;
        Lost if the process died.

        Raises:
            NodeFailedError: there is no script that another process could load.
        """
        if task.origin is None:
            raise NodeFailedError(
                f"{task.node!r} is to run in a process of its own, which cannot get at its function: it is in no file.",
                "Put the function into a module or script, or leave out isolate=True.",
                task.where,
                node=task.node,
            )
        handle = ProcessHandle(task, Observer(log, progress, partial))
        self._give(task.slot, handle)
        return handle

    def close(self) -> None:
        """Kill all processes; what runs in them is lost."""
        with self._lock:
            slots, self._slots = list(self._slots.values()), {}
        for slot in slots:
            slot.close()

    def _give(self, name: str, order: Order) -> None:
        with self._lock:
            slot = self._slots.get(name)
            if slot is None:
                slot = self._slots[name] = Slot(self._execute, self._idle_seconds, lambda one: self._leave(name, one))
            slot.orders.put(order)

    def _leave(self, name: str, slot: Slot) -> bool:
        """Forget a slot, unless there is something to do for it."""
        with self._lock:
            if not slot.orders.empty():
                return False
            if self._slots.get(name) is slot:
                del self._slots[name]
            return True
