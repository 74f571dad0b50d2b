"""An edit of a user's project, written so that the place of the edit can be seen.

    edit("constant", "def fn(x): return x + «1 → 2»")

is the project with `1` before the edit and with `2` after it. The text is `app.py`; a line `--- lib/other.py` begins
another file. The function that matters is `app.fn`. `call` is what somebody who feels the edit would ask for.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass

Project = Mapping[str, str]

MARK = re.compile(r"«(.*?) → (.*?)»", re.DOTALL)
FILE = re.compile(r"^--- (\S+)\n", re.MULTILINE)


@dataclass(frozen=True)
class Edit:
    """A project before and after, and the expression in which the difference shows."""

    name: str
    before: Project
    after: Project
    call: str = "fn(3)"


def edit(name: str, text: str, *, call: str = "fn(3)") -> Edit:
    """The edit that a text with marks stands for."""
    assert MARK.search(text), f"{name}: no mark"
    return rewrite(name, MARK.sub(r"\1", text), MARK.sub(r"\2", text), call=call)


def rewrite(name: str, before: str, after: str, *, call: str = "fn(3)") -> Edit:
    """The edit from one text to another."""
    return Edit(name, files(before), files(after), call)


def files(text: str) -> Project:
    """A text cut into files."""
    first, *others = FILE.split(textwrap.dedent(text).lstrip("\n"))
    return {"app.py": first, **dict(zip(others[::2], others[1::2], strict=True))}
