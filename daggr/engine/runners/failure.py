"""What a node's own code raised, in words: what it was, and which lines of the user's led there."""

from __future__ import annotations

import linecache
from collections import deque
from pathlib import Path
from traceback import walk_tb

from daggr.engine.fingerprint.ownership import is_own_file
from daggr.errors import NodeFailedError
from daggr.filename import readable
from daggr.graph.nodes.base import NodeSpec

FRAMES = 12
"""Lines of a traceback that are kept, the last ones."""

CAUSES = 4
_DAGGR = str(Path(__file__).resolve().parents[2])

_Line = tuple[str, int, str]
"""File, line number, name of the function."""


def failed(spec: NodeSpec, error: BaseException, what: str = "") -> NodeFailedError:
    """The error of a node whose own code raised. It tells the last line of the user's, and keeps all that led there.

    Args:
        spec: The node.
        error: What was raised: any exception, an exit included.
        what: Which part of the node it was, such as `preprocess of `; empty for the node itself.
    """
    chain = _chain(error)
    lines = next((own for one in chain if (own := _lines(one)) and is_own_file(own[-1][0])), _lines(error))
    hint = f"Raised at {Path(lines[-1][0]).name}:{lines[-1][1]}." if lines else ""
    if isinstance(error, SystemExit):
        given = "" if error.code is None else _shown(error.code)
        reason = f"{what}{spec.name!r} called sys.exit({given})"
    else:
        reason = f"{what}{spec.name!r} failed: {_said(error)}"
    return NodeFailedError(
        readable(reason), readable(hint), spec.where, node=spec.name, traceback=readable(_traceback(chain))
    )


def _said(error: BaseException) -> str:
    try:
        text = str(error)
    except Exception as trouble:  # noqa: BLE001  (its class is the user's: it may raise whatever it likes)
        text = f"(its text cannot be had: {type(trouble).__name__})"
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _shown(value: object) -> str:
    try:
        return repr(value)
    except Exception:  # noqa: BLE001  (its class is the user's)
        return f"<{type(value).__name__}>"


def _lines(error: BaseException) -> list[_Line]:
    """The user's own lines that led to an error, outermost first; those of libraries where there is none of theirs."""
    own: deque[_Line] = deque(maxlen=FRAMES)
    others: deque[_Line] = deque(maxlen=FRAMES)
    for frame, number in walk_tb(error.__traceback__):
        code = frame.f_code
        line = (code.co_filename, number, code.co_name)
        if is_own_file(code.co_filename):
            own.append(line)
        elif not code.co_filename.startswith(("<frozen", _DAGGR)):
            others.append(line)
    return list(own or others)


def _chain(error: BaseException) -> list[BaseException]:
    """An error, its cause, the cause of that."""
    chain: list[BaseException] = []
    at: BaseException | None = error
    while at is not None and all(at is not one for one in chain) and len(chain) < CAUSES:
        chain.append(at)
        at = at.__cause__ or (None if at.__suppress_context__ else at.__context__)
    return chain


def _traceback(chain: list[BaseException]) -> str:
    """An error and what caused it, the cause first, each with the lines that led to it."""
    return "\nwhich led to\n\n".join("".join([*map(_drawn, _lines(one)), *_told(one)]) for one in reversed(chain))


def _drawn(line: _Line) -> str:
    filename, number, name = line
    source = linecache.getline(filename, number).strip()
    return f"{filename}:{number}, in {name}\n" + (f"    {source}\n" if source else "")


def _told(error: BaseException) -> list[str]:
    notes = getattr(error, "__notes__", ())
    return [f"{_said(error)}\n", *(f"{note}\n" for note in notes if isinstance(note, str))]
