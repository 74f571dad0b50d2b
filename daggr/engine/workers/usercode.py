"""Which part of a task is the user's own code, so that a Stop can be raised there and nowhere else.

Python can raise an exception in another thread, but not say when: it comes up a moment later, wherever the thread is by
then. Three rules keep it out of everybody else's code.

1. Leaving the block takes a lock that the stopper holds while it raises, and lets come up what has not come up yet.
2. What comes up while the block is being left is swallowed, unless it comes up at the very first instruction of
   `__exit__`, where no `try` can be; then the `with` statement raises it, and does not know that it was left.
3. So nothing is raised a second time unless the call that was running the first time is still running.
"""

from __future__ import annotations

import ctypes
import logging
import sys
import threading
from collections.abc import Callable
from types import FrameType, TracebackType

from daggr.engine.workers.handle import Stopped

log = logging.getLogger(__name__)
_set_async_exc = ctypes.pythonapi.PyThreadState_SetAsyncExc
_set_async_exc.argtypes = (ctypes.c_ulong, ctypes.py_object)
_take_back = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_ulong, ctypes.c_void_p)(
    ("PyThreadState_SetAsyncExc", ctypes.pythonapi)
)


def _settle() -> None:
    """Nothing is about to be raised in this thread any more: what was is replaced, and that is raised here.

    Taking it back is not enough. Up to Python 3.12 the interpreter would look for it from then on, at every call and
    jump, and 3.11 would for ever do nothing else in a thread that is traced, as under a debugger.
    """
    try:
        _set_async_exc(threading.get_ident(), Stopped)
        while True:
            pass
    except Stopped:
        return


class UserCode:
    """What a task's work is given: says what is the user's code, and whether it is to stop.

    Attributes:
        stopped: Somebody wants it to end. `code()` refuses to begin then.
    """

    def __init__(self) -> None:
        self.stopped = False
        self._lock = threading.Lock()
        self._callbacks: dict[object, Callable[[], None]] = {}
        self._thread = 0
        self._owner: FrameType | None = None  # the frame of the outermost block, while within it
        self._call: tuple[FrameType, int] | None = None  # what it was calling, and where, when Stopped was raised
        self._raised = False
        self._aside = 0
        self._due = False

    def code(self) -> _Code:
        """Within the block runs the user's code, and only there may `Stopped` be raised.

        Raises:
            Stopped: it is to stop already.
        """
        return _Code(self)

    def aside(self) -> _Aside:
        """Within user code: what is not to be interrupted, such as telling the engine what was printed.

        A Stop that would have come up within the block is raised at its end. Elsewhere, and in other threads that the
        user's code started, this does nothing.
        """
        return _Aside(self)

    def on_stop(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call when it is to stop, in another thread; at once if it is. Gives what makes that undone."""
        key = object()
        with self._lock:
            if not self.stopped:
                self._callbacks[key] = callback
                return lambda: self._forget(key)
        callback()
        return lambda: None

    def stop(self) -> None:
        """Ask it to stop."""
        with self._lock:
            self.stopped = True
            callbacks, self._callbacks = list(self._callbacks.values()), {}
        for callback in callbacks:
            try:
                callback()
            except Exception:
                log.exception("a function could not be told to stop")

    def interrupt(self) -> None:
        """Raise `Stopped` in the user's code, if that is what runs. May be repeated: users catch everything."""
        with self._lock:
            self.stopped = True
            if self._owner is None:
                return
            if self._aside:
                self._due = True
                return
            if not self._raised:
                self._raised, self._call = True, self._running()
            else:
                _take_back(self._thread, None)
                if self._call is None or self._call != self._running():
                    _settle()
                    return  # it may have been left (rule 3)
            _set_async_exc(self._thread, Stopped)

    def end(self) -> None:
        """The task is over, in the thread that this is called in: nothing is raised there any more."""
        with self._lock:
            self._owner = self._call = None
            self._callbacks.clear()
            if self._raised:
                _settle()

    def _forget(self, key: object) -> None:
        with self._lock:
            self._callbacks.pop(key, None)

    def _running(self) -> tuple[FrameType, int] | None:
        """What the outermost block is calling now, and at which instruction; None if that is not Python code."""
        frame, above = sys._current_frames().get(self._thread), None
        while frame is not None and frame is not self._owner:
            frame, above = frame.f_back, frame
        return (above, frame.f_lasti) if frame is not None and above is not None else None


class _Code:
    __slots__ = ("_outermost", "_user")

    def __init__(self, user: UserCode) -> None:
        self._user = user
        self._outermost = False

    def __enter__(self) -> None:
        user = self._user
        with user._lock:
            if not user.stopped:
                if user._owner is None:
                    self._outermost = True
                    user._thread = threading.get_ident()
                    user._owner = sys._getframe(1)
                return
        raise Stopped

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if not self._outermost:
            return
        try:
            self._leave()
        except Stopped:
            self._leave()

    def _leave(self) -> None:
        user = self._user
        with user._lock:
            user._owner = None
            if user._raised:
                _settle()


class _Aside:
    __slots__ = ("_applies", "_user")

    def __init__(self, user: UserCode) -> None:
        self._user = user
        self._applies = False

    def __enter__(self) -> None:
        user = self._user
        with user._lock:
            if user._owner is not None and user._thread == threading.get_ident():
                if user._raised:
                    _settle()
                user._aside += 1
                self._applies = True

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if not self._applies:
            return
        user = self._user
        with user._lock:
            user._aside -= 1
            due, user._due = user._due and not user._aside, user._due and user._aside > 0
        if due:
            raise Stopped
