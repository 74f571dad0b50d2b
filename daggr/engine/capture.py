"""What a run prints, told apart from what others print at the same time.

`sys.stdout` is wrapped, not replaced. The wrapper passes everything on, and gives a copy to whoever the current context
says; a context belongs to one run, so two runs never see each other's lines.
"""

from __future__ import annotations

import contextvars
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TextIO

_log: contextvars.ContextVar[Callable[[str], None] | None] = contextvars.ContextVar("daggr_log", default=None)
_wrapping = threading.Lock()
_STREAMS = ("stdout", "stderr")
_users = 0


class _Tee:
    """A text stream that also tells the current run's log. What is written to its `buffer` is bytes, and not logged."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def write(self, text: str) -> int:
        """Write, and tell the log. What `log` itself prints is nobody's, nor what a tee within the stream sees."""
        log = _log.get()
        if log is None or not isinstance(text, str) or not text:
            return self.stream.write(text)
        token = _log.set(None)
        try:
            log(text)
            return self.stream.write(text)
        finally:
            _log.reset(token)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write each, and tell the log."""
        for line in lines:
            self.write(line)

    def __iter__(self) -> Iterator[str]:
        return iter(self.stream)

    def __enter__(self) -> _Tee:
        return self

    def __exit__(self, *_: object) -> None:
        self.stream.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


@contextmanager
def printing_to(log: Callable[[str], None]) -> Iterator[None]:
    """Give `log` a copy of what is printed in this context, within the block."""
    _wrap()
    token = _log.set(log)
    try:
        yield
    finally:
        _log.reset(token)


def wrap() -> None:
    """Make printing observable, until `unwrap` has been called as often as this."""
    global _users
    with _wrapping:
        _users += 1
    _wrap()


def _wrap() -> None:
    """Wrap the streams as they are now; others (notebooks, test runners, users) may have put theirs in place since.

    There may be none (`pythonw`), and then there is nothing to see.
    """
    if isinstance(sys.stdout, _Tee) and isinstance(sys.stderr, _Tee):
        return
    with _wrapping:
        for name in _STREAMS:
            stream = getattr(sys, name)
            if stream is not None and not isinstance(stream, _Tee):
                setattr(sys, name, _Tee(stream))


def unwrap() -> None:
    """The last one puts the streams back that were wrapped, where nobody has put others in their place."""
    global _users
    with _wrapping:
        _users -= 1
        for name in _STREAMS if _users == 0 else ():
            if isinstance(stream := getattr(sys, name), _Tee):
                setattr(sys, name, stream.stream)
