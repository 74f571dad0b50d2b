"""A worker process: `python -m daggr.engine.workers.child`. It loads a script once and runs its nodes, one at a time.

User code runs in the main thread, as in a program of its own. Another thread hears what the engine says: what to run
next, that it is to stop, or nothing any more, for then the engine is gone and this ends with all that it started.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from daggr.digest import UnencodableError
from daggr.engine.capture import printing_to
from daggr.engine.fingerprint.node import node_fingerprint
from daggr.engine.gradio_values import saved
from daggr.engine.runners.base import Call
from daggr.engine.runners.base import Returned as RunnerReturned
from daggr.engine.script import Origin, ScriptError, Search, search_script
from daggr.engine.workers import family, wire
from daggr.engine.workers.handle import Stopped
from daggr.engine.workers.usercode import UserCode
from daggr.errors import DaggrError, NodeFailedError, did_you_mean
from daggr.graph.nodes.base import NodeSpec
from daggr.graph.nodes.choice import ChoiceSpec

INTERRUPT_EVERY = 0.25
Do = Callable[[Call, UserCode], RunnerReturned]
_Order = tuple[wire.Execute, dict[str, wire.Packed]]


class Child:
    """One worker process, from within."""

    def __init__(self, ear: wire.Ear, mouth: wire.Mouth) -> None:
        self._ear = ear
        self._mouth = mouth
        self._orders: SimpleQueue[_Order] = SimpleQueue()
        self._lock = threading.Lock()
        self._number = 0
        self._user: UserCode | None = None
        self._stops: set[int] = set()

    def serve(self) -> None:
        """Load the script, then run what is asked for, until the engine hangs up."""
        start = self._ear.hear()
        if not isinstance(start, wire.Start):
            return
        threading.Thread(target=self._listen, daemon=True, name="daggr-ear").start()
        module, _, name = start.execute.partition(":")
        do: Do = getattr(importlib.import_module(module), name)
        origin = Origin(Path(start.script), start.argv, start.module, start.is_main)
        try:
            found = search_script(origin, start.wanted, start.path)
        except ScriptError as error:
            self._mouth.say(wire.Refused(error.message, error.hint, error.where))
            return
        self._mouth.say(wire.Ready())
        while True:
            order, inputs = self._orders.get()
            self._answer(found, do, order, inputs)
            del order, inputs

    def _listen(self) -> None:
        with contextlib.suppress(OSError, EOFError):
            while (message := self._ear.hear()) is not None:
                if isinstance(message, wire.Execute):
                    self._orders.put((message, self._ear.values(message.inputs)))
                elif isinstance(message, wire.Stop):
                    self._stop(message.number)
        family.end_own()

    def _stop(self, number: int) -> None:
        with self._lock:
            self._stops.add(number)
            user = self._user if number == self._number else None
        if user is not None:
            threading.Thread(target=self._interrupt, args=(user,), daemon=True, name="daggr-stop").start()

    def _interrupt(self, user: UserCode) -> None:
        user.stop()
        while self._user is user:
            user.interrupt()
            threading.Event().wait(INTERRUPT_EVERY)

    # ------------------------------------------------------------ one task

    def _answer(self, found: Search, do: Do, order: wire.Execute, inputs: Mapping[str, wire.Packed]) -> None:
        try:
            spec = _spec(found, order)
        except _RefusedError as refused:
            self._mouth.say(refused.message)
            return
        user = UserCode()
        with self._lock:
            self._number, self._user = order.number, user
            stopped = order.number in self._stops
            self._stops.clear()
        if stopped:
            user.stop()
        self._mouth.say(wire.Begun())
        try:
            returned = self._perform(do, spec, order, inputs, user)
            values = _packed(spec, returned, Path(order.folder))
        except BaseException as error:  # noqa: BLE001  (it is raised again in the engine)
            user.end()
            self._user = None
            self._mouth.say(_told(error))
            return
        user.end()
        self._user = None
        self._flush()
        done = wire.Returned(wire.announce(values), tuple(returned.texts), returned.notes)
        self._mouth.say(done, wire.contents(values))

    def _perform(
        self, do: Do, spec: NodeSpec, order: wire.Execute, inputs: Mapping[str, wire.Packed], user: UserCode
    ) -> RunnerReturned:
        def log(text: str) -> None:
            with user.aside():
                self._mouth.say(wire.Printed(text))

        def progress(fraction: float | None, words: str) -> None:
            with user.aside():
                self._mouth.say(wire.Progressed(fraction, words))

        def partial(values: Mapping[str, Any]) -> None:
            with user.aside():
                try:
                    packed = {port: wire.pack(value) for port, value in values.items()}
                except UnencodableError:
                    return  # what cannot be shown yet; the last value tells why
                self._mouth.say(wire.Partial(wire.announce(packed)), wire.contents(packed))

        call = Call(spec, wire.unpack_inputs(inputs, order.paths), Path(order.folder), log, progress, partial)
        with printing_to(log):
            return do(call, user)

    def _flush(self) -> None:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError, AttributeError):  # closed, or none
                stream.flush()


class _RefusedError(Exception):
    def __init__(self, message: wire.Refused) -> None:
        super().__init__(message.message)
        self.message = message


def _spec(found: Search, order: wire.Execute) -> NodeSpec:
    """The node that is asked for, if the script has it as the engine knows it."""
    candidates = list(_candidates(found, order))
    if not candidates:
        names = [*(name for drawing in found.drawings for name in drawing.nodes), *found.alone]
        raise _RefusedError(
            wire.Refused(
                f"The script makes no node {order.node!r} before it runs something.",
                did_you_mean(order.node, names) or f"It makes: {', '.join(dict.fromkeys(names)) or 'no nodes'}.",
                None,
                stale=True,
            )
        )
    for definition, spec in candidates:
        if node_fingerprint(definition).digest == order.fingerprint:
            return spec
    raise _RefusedError(
        wire.Refused(
            f"{order.node!r}: the script on disk is another one than the one that was loaded.",
            "Load it again.",
            candidates[0][1].where,
            stale=True,
        )
    )


def _candidates(found: Search, order: wire.Execute) -> Sequence[tuple[NodeSpec, NodeSpec]]:
    """What the fingerprint is to be taken of, and what is to be run, for each node of that name."""
    pairs: list[tuple[NodeSpec, NodeSpec]] = []
    for drawing in found.drawings:
        spec = drawing.nodes.get(order.node)
        if isinstance(spec, ChoiceSpec):
            if order.variant in spec.variants:
                chosen = drawing.choose({order.node: order.variant}).nodes[order.node]
                pairs.append((spec.variants[order.variant], chosen))
        elif spec is not None:
            pairs.append((spec, spec))
    if order.node in found.alone:
        pairs.append((found.alone[order.node],) * 2)
    return pairs


def _packed(spec: NodeSpec, returned: RunnerReturned, folder: Path) -> dict[str, wire.Packed]:
    """The values for the way. A figure on a port that shows pictures is saved here; it could not travel."""
    packed: dict[str, wire.Packed] = {}
    for port, value in returned.values.items():
        component = spec.outputs.get(port)
        try:
            packed[port] = wire.pack(value)
        except UnencodableError as error:
            path = None if component is None else saved(component, value, folder)
            if path is None:
                raise NodeFailedError(
                    f"Output {port!r} of {spec.name!r} cannot leave the process it was made in: {error}",
                    "Return texts, numbers, lists, arrays, images or files, register a codec, or drop isolate=True.",
                    spec.where,
                    node=spec.name,
                ) from error
            packed[port] = wire.pack(str(path))
    return packed


def _told(error: BaseException) -> wire.Failed:
    kind = "Stopped" if isinstance(error, Stopped) else type(error).__name__
    if isinstance(error, DaggrError):
        node, traceback = getattr(error, "node", "") or "", getattr(error, "traceback", "") or ""
        return wire.Failed("NodeFailedError", error.message, error.hint, error.where, node, traceback)
    code = error.code if isinstance(error, SystemExit) and isinstance(error.code, int) else None
    try:
        text = str(error)
    except Exception:  # noqa: BLE001  (its class is the user's: it may raise whatever it likes)
        text = ""
    return wire.Failed(kind, text, code=code)


def main(arguments: Sequence[str]) -> None:
    """Serve on the pipes that the arguments name: what is asked, what is answered, and one that tells of the end."""
    parent = os.getppid()
    requests, replies, lifeline = family.inherited(arguments)
    family.end_with(lifeline, parent)
    with contextlib.suppress(OSError):  # nobody listens any more
        Child(wire.Ear(requests), wire.Mouth(replies)).serve()


if __name__ == "__main__":
    _self = sys.modules["__main__"]  # the script takes its place
    main(sys.argv[1:])
