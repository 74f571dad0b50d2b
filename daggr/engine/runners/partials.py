"""What a generator has given so far, shown while it runs: the first value at once, then one every 50 ms at most."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Final

from daggr.engine.runners.base import postprocess, to_ports
from daggr.engine.workers.usercode import UserCode
from daggr.errors import NodeFailedError
from daggr.graph.nodes.base import NodeSpec

log = logging.getLogger("daggr.engine")

INTERVAL = 0.05
COPIED = 1000
"""Parts of a value that are copied at most, so that it can be shown later while its generator changes it."""

_UNCHANGING = (type(None), bool, int, float, complex, str, bytes)


class _Nothing:
    """There is no value."""


NOTHING: Final = _Nothing()


class Partials:
    """Shows values by port. A value that comes too soon after another is shown a little later, unless a newer one is.

    What must wait is shown by another thread. For that it has to be simple (texts, numbers, lists and dicts of them),
    and the node may have no `postprocess`, which is the user's code; of others, too, the next in time is shown.

    Args:
        spec: The node.
        show: Takes the values by port.
        user: The user's code, in which all of this happens.
    """

    def __init__(self, spec: NodeSpec, show: Callable[[Mapping[str, Any]], None], user: UserCode) -> None:
        self._spec = spec
        self._show = show
        self._user = user
        self._lock = threading.Lock()
        self._next = 0.0
        self._waiting: Any = NOTHING
        self._timer: threading.Timer | None = None

    def show(self, value: Any) -> None:
        """Show a value that was yielded, now or a little later."""
        with self._user.aside():
            is_due = self._is_due(value)
        if is_due:
            try:
                values, _ = to_ports(self._spec, postprocess(self._spec, value))
            except NodeFailedError:  # if the last value fails like this, too, it will be told
                return
            with self._user.aside(), self._lock:
                self._tell(values)

    def _is_due(self, value: Any) -> bool:
        """Whether a value is to be shown at once; else it waits, in place of what has waited so far."""
        now = time.monotonic()
        with self._lock:
            self._waiting = NOTHING
            if now >= self._next:
                self._next = now + INTERVAL
                return True
            if self._spec.postprocess is None:
                self._waiting = _copied(value, [COPIED])
            if self._waiting is not NOTHING and self._timer is None:
                self._wait(self._next - now)
            return False

    def _wait(self, seconds: float) -> None:
        self._timer = threading.Timer(seconds, self._late)
        self._timer.daemon = True
        self._timer.start()

    def _late(self) -> None:
        """Show what has waited, if its time has come and it is still the newest."""
        with self._lock:
            self._timer = None
            if self._waiting is NOTHING:
                return
            now = time.monotonic()
            if now < self._next:  # another one was shown meanwhile
                self._wait(self._next - now)
                return
            value, self._waiting = self._waiting, NOTHING
            self._next = now + INTERVAL
            self._tell(to_ports(self._spec, value)[0])

    def _tell(self, values: Mapping[str, Any]) -> None:
        try:
            self._show(values)
        except Exception:  # showing is not the node's trouble
            log.exception("what %r has given so far could not be shown", self._spec.name)

    def __enter__(self) -> Partials:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._user.aside(), self._lock:  # nothing is shown after this
            self._waiting = NOTHING
            if self._timer is not None:
                self._timer.cancel()


def _copied(value: Any, left: list[int]) -> Any:
    """A copy that its generator cannot change any more; `NOTHING` of what is not simple, or too large."""
    if type(value) in _UNCHANGING:
        return value
    if type(value) not in (list, tuple, dict) or len(value) > left[0]:
        return NOTHING
    left[0] -= len(value)
    parts = [_copied(part, left) for part in (value.values() if type(value) is dict else value)]
    if any(part is NOTHING for part in parts):
        return NOTHING
    return dict(zip(value, parts, strict=True)) if type(value) is dict else type(value)(parts)
