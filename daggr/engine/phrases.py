"""Phrases: the names of leaves in words that a person understands. Pure.

A leaf's name is the way from the definition to the part: `fn: h: RATE` is the global `RATE` that the helper `h` uses.
The parts of the way are those that `fingerprint` writes; a name that cannot be read is shown as it is.
"""

from __future__ import annotations

import re
from collections.abc import Container
from dataclasses import dataclass

_PART = re.compile(
    r"""
    :\ (?P<uses>\w+(?:\.\w+)*)
    | \ source\ of\ (?P<module>\w+(?:\.\w+)*)
    | \ import\ (?P<imported>\w+(?:\.\w+)*)
    | \ (?P<said>default|closure|attribute|base)\ (?P<name>\w+)
    | \ (?P<mark>keyword\ defaults|\w+)
    | \.(?P<member>\w+)
    | \[(?P<index>\d+)\]
    | (?P<one>\{…\})
    | \ \#(?P<again>\d+)
    """,
    re.VERBOSE,
)
_ROOTS = {
    "fn": ("the function", "the function's code"),
    "preprocess": ("the preprocess hook", "the code of the preprocess hook"),
    "postprocess": ("the postprocess hook", "the code of the postprocess hook"),
    "provider": ("what the value is drawn by", "the code that the value is drawn by"),
    "app": ("the app that is called",) * 2,
    "endpoint": ("the app's endpoint",) * 2,
    "kind": ("the kind of the node",) * 2,
    "depends": ("what the node depends on",) * 2,
}
_ROOT = re.compile(rf"(?:{'|'.join(_ROOTS)})(?![\w-])")
_MARKS = {
    "fields": "the fields of {}",
    "members": "the members of {}",
    "order": "the order of what is in {}",
    "metaclass": "the metaclass of {}",
    "statement": "the statement that makes {}",
    "self": "what {} is bound to",
    "args": "what {} is called with",
    "keywords": "what {} is called with",
    "fset": "the setter of {}",
    "fdel": "the deleter of {}",
}
_UNSAID = frozenset({"func", "function", "__func__", "fget", "class", "wraps", "value", "of"})
"""Steps on the way that a person does not see."""

_DEFINED = re.compile(r"\A(?:\s*@[^\n]*\n)*\s*(?:async\s+)?def\s+(\w+)")


def phrase(leaf: str, text: str = "", leaves: Container[str] = ()) -> str:
    """A leaf's name in words, such as "helper `other.h`".

    Args:
        leaf: The name.
        text: Its source, if it is code and the text is known.
        leaves: The names of all leaves; they tell the methods of a class from the functions of a module.
    """
    if leaf.startswith("output "):
        return f"output port `{leaf.removeprefix('output ')}`"
    root = _ROOT.match(leaf)
    if root is None:
        return f"`{leaf}`"
    noun, at = _Noun(root[0]), root.end()
    if (cut := leaf.rfind(" … ")) >= 0:  # the middle of a long way is left out: go on at its next name
        at = leaf.find(": ", cut)
        if at < 0:
            return f"`{leaf}`"
    while at < len(leaf):
        found = _PART.match(leaf, at)
        if found is None:
            return f"`{leaf}`"
        noun.add(found)
        at = found.end()
    return noun.words(text, member="." in leaf and leaf.rpartition(".")[0] in leaves)


def depth(leaf: str) -> int:
    """How many steps a leaf is away from the node."""
    return len(re.findall(r"[:\s.\[{]+", leaf))


@dataclass
class _Noun:
    """What the way has led to so far.

    Attributes:
        root: Where it began.
        path: Its name in Python, as far as it has one.
        said: It, in words; empty at the root.
        user: What uses it, if that is not the function itself.
        is_global: Whether it is a global of its own.
        hidden: Whether a person would not find it under its name, such as a function in a table.
        is_part: Whether it is a part of something that has no names for its parts.
    """

    root: str
    path: str = ""
    said: str = ""
    user: str = ""
    is_global: bool = False
    hidden: bool = False
    is_part: bool = False

    def add(self, found: re.Match[str]) -> None:
        """Go one step further."""
        short, mark = self.short, found["mark"]
        if mark in _UNSAID or found["again"] or (self.is_part and found["index"]):
            self.hidden = self.hidden or mark == "wraps"
            return
        self.is_global, self.is_part = bool(found["uses"]), bool(found["index"])
        if uses := found["uses"]:
            self.user = short if self.said else ""
            self._say(f"`{uses}`", uses)
        elif module := found["module"] or found["imported"]:
            self._say(f"module `{module}`", module)
        elif member := found["member"]:
            path = f"{self.path}.{member}" if self.path else member
            self._say(f"`{path}`" if self.path or not self.said else f"`{member}` of {short}", path)
        elif found["said"]:
            self._say_named(found["said"], found["name"], short)
        elif found["index"]:
            self._say(f"part {int(found['index']) + 1} of {short}", hidden=True)
        elif mark is not None:
            self._say(_MARKS.get(mark, f"the {mark.replace('_', ' ')} of {{}}").format(short))
        else:
            self._say(f"a member of {short}", hidden=True)

    @property
    def short(self) -> str:
        """It, as something that other things belong to."""
        return f"`{self.path}`" if self.path else self.said or _ROOTS[self.root][0]

    def words(self, text: str, *, member: bool) -> str:
        """It, in words; with the text of its code, if it is code."""
        defined = _DEFINED.match(text)
        if not self.said:
            return _ROOTS[self.root][bool(text)]
        if text and self.is_global and not member:
            return f"helper {self.said}"
        if defined is not None and self.hidden and defined[1] != self.path:
            return f"function `{defined[1]}` ({self.said})"
        return f"{self.said}, which {self.user} uses" if self.is_global and self.user and not member else self.said

    def _say_named(self, said: str, name: str, short: str) -> None:
        match said:
            case "closure":
                self._say(f"`{name}`, which {short} closes over", name, hidden=True)
            case "default":
                self._say(f"default of `{name}`" + (f" in {short}" if self.said else ""), name)
            case _:
                self._say(f"{said} `{name}` of {short}", name)

    def _say(self, words: str, path: str = "", *, hidden: bool = False) -> None:
        self.said, self.path, self.hidden = words, path, hidden
