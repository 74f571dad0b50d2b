"""A worker process as the engine sees it."""

from __future__ import annotations

import builtins
import contextlib
import logging
import os
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from daggr.engine.script import Origin
from daggr.engine.workers import family, wire
from daggr.engine.workers.handle import Stopped
from daggr.errors import NodeFailedError

log = logging.getLogger(__name__)
MODULE = "daggr.engine.workers.child"


class Gone(Exception):
    """The process does not answer any more."""


class Refusal(Exception):
    """The process cannot run what it was asked to; with `stale`, one that loads the script now might."""

    def __init__(self, refused: wire.Refused) -> None:
        super().__init__(refused.message)
        self.hint = refused.hint
        self.where = refused.where
        self.stale = refused.stale


@dataclass(frozen=True)
class Observer:
    """Hears what a running node tells."""

    log: Callable[[str], None]
    progress: Callable[[float | None, str], None]
    partial: Callable[[Mapping[str, Any]], None]

    def hear(self, message: object, ear: wire.Ear) -> None:
        """Pass on what was told. What fails here is not the node's trouble."""
        values = ear.values(message.values) if isinstance(message, wire.Partial) else {}
        try:
            match message:
                case wire.Printed(text):
                    self.log(text)
                case wire.Progressed(fraction, words):
                    self.progress(fraction, words)
                case wire.Partial():
                    self.partial({port: wire.unpack(value) for port, value in values.items()})
        except Exception:
            log.exception("what a node told could not be passed on")


class ChildProcess:
    """A process that has loaded a script, or is about to. One thread speaks with it; any may stop or kill it."""

    def __init__(self, origin: Origin, wanted: str, execute: str) -> None:
        self.origin = origin
        self._is_ready = False
        ends = [*os.pipe(), *os.pipe(), *os.pipe()]
        requests, mouth, ear, replies, lifeline, self._lifeline = ends
        try:
            self._process = family.start(MODULE, (requests, replies, lifeline))
        except BaseException:
            for fd in (mouth, ear, self._lifeline):
                os.close(fd)
            raise
        finally:
            for fd in (requests, replies, lifeline):
                os.close(fd)
        self._mouth, self._ear = wire.Mouth(mouth), wire.Ear(ear)
        self._ended = threading.Event()
        threading.Thread(target=self._watch, daemon=True, name="daggr-watch").start()
        start = wire.Start(
            str(origin.path), origin.argv, origin.module, origin.is_main, wanted, tuple(sys.path), execute
        )
        try:
            self._mouth.say(start)
        except OSError:  # it is gone already; whoever needs it will see
            log.debug("a worker process ended at once")

    @property
    def is_gone(self) -> bool:
        """Whether it has ended."""
        return self._ended.is_set()

    def wait_until_ready(self) -> None:
        """Wait until the script is loaded.

        Raises:
            Refusal: it cannot be loaded.
            Gone: the process died.
        """
        if not self._is_ready:
            self._hear()
            self._is_ready = True

    def perform(
        self,
        order: wire.Execute,
        contents: Sequence[bytes | bytearray],
        observer: Observer,
        begun: Callable[[], None],
    ) -> tuple[wire.Returned, dict[str, wire.Packed]]:
        """Have a node run. `begun` is called when it does.

        Raises:
            Refusal: it is not the node that is meant.
            Gone: the process died.
            Exception: what the node raised.
        """
        try:
            self._mouth.say(order, contents)
            while not isinstance(message := self._hear(), (wire.Returned, wire.Failed)):
                if isinstance(message, wire.Begun):
                    begun()
                else:
                    observer.hear(message, self._ear)
            if isinstance(message, wire.Returned):
                return message, self._ear.values(message.values)
        except (OSError, EOFError) as error:
            raise Gone from error
        raise _raised(message)

    def ask_to_stop(self, number: int) -> bool:
        """Ask it to stop a task; False if it cannot be asked now."""
        try:
            return self._mouth.say(wire.Stop(number), wait=False)
        except OSError:
            return False

    def kill(self) -> None:
        """Kill it with all that it started."""
        if not self.is_gone:
            family.end(self._process.pid)

    def left_something(self) -> bool:
        """Whether something that was started in it may still run."""
        return not self.is_gone and family.may_have_left_something(self._process.pid)

    def how_it_ended(self) -> str:
        """How it ended, in words; it is killed if it lives."""
        if not self._ended.wait(1.0):
            self.kill()
            self._ended.wait(5.0)
        return family.how_it_ended(self._process.returncode)

    def close(self) -> None:
        """Wait for the end of a process that was killed, and close the pipes."""
        self._ended.wait(5.0)
        self._mouth.close()
        self._ear.close()
        if self._lifeline >= 0:
            os.close(self._lifeline)
            self._lifeline = -1

    def _hear(self) -> wire.Message:
        try:
            message = self._ear.hear()
        except OSError as error:
            raise Gone from error
        if message is None:
            raise Gone
        if isinstance(message, wire.Refused):
            raise Refusal(message)
        return message

    def _watch(self) -> None:
        """Wait for its end, and end what it started before somebody else can get its number."""
        if hasattr(os, "waitid"):
            os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOWAIT)
            family.end(self._process.pid)
            self._process.wait()
        else:
            self._process.wait()
            if sys.platform != "win32":
                family.end(self._process.pid)
        self._ended.set()


def _raised(failed: wire.Failed) -> BaseException:
    """What the node raised, as nearly as can be told here: Python's own exceptions, and the node's failure."""
    if failed.kind == "NodeFailedError":
        return NodeFailedError(failed.message, failed.hint, failed.where, node=failed.node, traceback=failed.traceback)
    if failed.kind == "Stopped":
        return Stopped()
    kind = getattr(builtins, failed.kind, None)
    if isinstance(kind, type) and issubclass(kind, BaseException):
        with contextlib.suppress(TypeError):  # some want more than a text
            return kind(failed.message) if failed.code is None else kind(failed.code)
    return RuntimeError(f"{failed.kind}: {failed.message}")
