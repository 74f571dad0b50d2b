"""What a run prints, told apart from what others print at the same time.

`sys.stdout` is wrapped once. The wrapper passes everything on, and gives a copy to whoever the current context says; a
context belongs to one run, so two runs never see each other's lines.
"""

from __future__ import annotations

import contextvars
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TextIO

_log: contextvars.ContextVar[Callable[[str], None] | None] = contextvars.ContextVar("daggr_log", default=None)


class _Tee:
    """A text stream that also tells the current run's log."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        if (log := _log.get()) is not None and text:
            token = _log.set(None)  # what `log` itself prints is nobody's
            try:
                log(text)
            finally:
                _log.reset(token)
        return self._stream.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def printing_to(log: Callable[[str], None]) -> Iterator[None]:
    """Give `log` a copy of what is printed in this context, within the block."""
    token = _log.set(log)
    try:
        yield
    finally:
        _log.reset(token)


@contextmanager
def captured_output() -> Iterator[None]:
    """Make printing observable while the block runs."""
    out, err = sys.stdout, sys.stderr
    tees = _Tee(out), _Tee(err)
    sys.stdout, sys.stderr = tees
    try:
        yield
    finally:
        if sys.stdout is tees[0]:
            sys.stdout = out
        if sys.stderr is tees[1]:
            sys.stderr = err
