"""Changes: what differs between two definitions and what they were given, each difference with its words. Pure.

A change is hard if it makes other keys, and so a reason to run. Soft ones are shown: versions of libraries, a sample
that was drawn anew, an equal value from elsewhere. Values are never shown, only what they are called, and digests.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from daggr.engine.bindings import asked_for
from daggr.engine.fingerprint.redact import HIDDEN
from daggr.engine.phrases import depth, phrase
from daggr.store.records import Binding

Kind = Literal["code", "data", "output", "input", "provider", "sample", "origin", "soft"]
"""What has changed: `sample` is another value drawn by the same function, `origin` the same value from elsewhere."""
How = Literal["changed", "added", "removed"]

DIFF_LIMIT = 4000
"""Lines of the texts that a diff is made of, at most: longer ones take seconds."""
_ORDER = {"changed": 0, "added": 1, "removed": 2}


@dataclass(frozen=True)
class Side:
    """A definition, and what it is given.

    Attributes:
        leaves: Its leaf map.
        sources: The source texts of leaves that are code.
        soft: Versions of libraries and the like.
        inputs: What each port is given.
        fed: The node that each port is fed by, where one does.
        open: The ports for which it is not known yet what they will be given.
    """

    leaves: Mapping[str, bytes]
    sources: Mapping[str, str] = field(default_factory=dict)
    soft: Mapping[str, str] = field(default_factory=dict)
    inputs: Mapping[str, Binding] = field(default_factory=dict)
    fed: Mapping[str, str] = field(default_factory=dict)
    open: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Change:
    """One difference.

    Attributes:
        kind: What it is about.
        name: The leaf, port or library.
        how: Changed, added or removed.
        hard: Whether it is a reason to run.
        phrase: What has changed, in words, such as "helper `other.h`".
        text: The change in one sentence.
        diff: Of code the difference of its sources, as `diff -u` says it; empty where a text is not known.
        before, after: Digests in hex, or versions; empty where there is none.
        came_from, comes_from: Of inputs: `ui`, `fixed`, `sampled`, or the node that gives it, as in "node `shout`".
    """

    kind: Kind
    name: str
    how: How
    hard: bool
    phrase: str
    text: str
    diff: str = ""
    before: str = ""
    after: str = ""
    came_from: str = ""
    comes_from: str = ""


def changes(before: Side, after: Side, *, diffs: bool = True) -> tuple[Change, ...]:
    """All that differs, each leaf, port and library once; the reasons to run first, and of these the nearest.

    Args:
        before: What it was.
        after: What it is.
        diffs: Whether sources are compared, too.
    """
    found = [_leaf(name, before, after, diffs=diffs) for name in _differing(before.leaves, after.leaves)]
    found += _inputs(before, after)
    found += _soft(before.soft, after.soft)
    return tuple(sorted(found, key=_rank))


def distance(before: Side, after: Side) -> int:
    """How many hard changes there are: of leaves, and of inputs."""
    ports = _ports(before, after)
    return len(_differing(before.leaves, after.leaves)) + sum(_is_other(port, before, after) for port in ports)


def in_short(found: Iterable[str], most: int = 2) -> str:
    """Phrases as one: the first ones, and how many more there are."""
    found = list(dict.fromkeys(found))
    more = f" and {len(found) - most} more" if len(found) > most else ""
    return ", ".join(found[:most]) + more


def _differing(before: Mapping[str, object], after: Mapping[str, object]) -> list[str]:
    return [name for name in {**before, **after} if before.get(name) != after.get(name)]


def _rank(change: Change) -> tuple[bool, int, bool, int, str]:
    is_leaf = change.kind in ("code", "data", "output")
    return not change.hard, _ORDER[change.how], not is_leaf, depth(change.name) if is_leaf else 0, change.name


def _how(before: object, after: object) -> How:
    return "added" if before is None else "removed" if after is None else "changed"


# ---------------------------------------------------------------- leaves


def _leaf(name: str, before: Side, after: Side, *, diffs: bool) -> Change:
    old, new = before.leaves.get(name), after.leaves.get(name)
    how = _how(old, new)
    was, now = before.sources.get(name), after.sources.get(name)
    words = phrase(name, now or was or "", after.leaves if name in after.leaves else before.leaves)
    is_code = bool(was or now) or " source of " in name
    hidden = was is not None and was == now and HIDDEN in was
    return Change(
        kind="output" if name.startswith("output ") else "code" if is_code else "data",
        name=name,
        how=how,
        hard=True,
        phrase=words,
        text=f"{words}{',' if ', ' in words else ''} {how}"
        + (", where something is hidden that looks like a secret" if hidden else ""),
        diff=_diff(name, before, after) if diffs else "",
        before=(old or b"").hex(),
        after=(new or b"").hex(),
    )


def _diff(name: str, before: Side, after: Side) -> str:
    """The difference of a leaf's sources; of a default or a member, that of the function or class which has it."""
    was, now = before.sources.get(name, ""), after.sources.get(name, "")
    if not was and not now and (owner := _owner(name, before, after)):
        was, now = before.sources[owner], after.sources[owner]
    known_once = name in before.leaves and name in after.leaves and not (was and now)
    if was == now or known_once:
        return ""
    old, new = was.splitlines(), now.splitlines()
    if len(old) + len(new) > DIFF_LIMIT:
        return ""
    return "\n".join(difflib.unified_diff(old, new, "before", "after", lineterm=""))


def _owner(name: str, before: Side, after: Side) -> str:
    """The leaf, told already if it changed, whose source has what another leaf is about."""
    for mark in (" default ", " fields", " order", " members", "."):
        owner = name.rpartition(mark)[0]
        if owner in before.sources and owner in after.sources:
            is_same = before.leaves.get(owner) == after.leaves.get(owner)  # else its own diff shows it
            return owner if is_same else ""
    return ""


# ---------------------------------------------------------------- inputs


def _inputs(before: Side, after: Side) -> list[Change]:
    found = [_input(port, before, after) for port in _ports(before, after)]
    return [change for change in found if change is not None]


def _ports(before: Side, after: Side) -> list[str]:
    return [port for port in {**before.inputs, **after.inputs} if port not in before.open | after.open]


def _is_other(port: str, before: Side, after: Side) -> bool:
    """Whether a port is given something else, as look-ups see it: of sampled values their providers count."""
    old, new = before.inputs.get(port), after.inputs.get(port)
    return old is None or new is None or asked_for(old) != asked_for(new)


def _input(port: str, before: Side, after: Side) -> Change | None:
    old, new = before.inputs.get(port), after.inputs.get(port)
    came_from, comes_from = _origin(old, before.fed.get(port)), _origin(new, after.fed.get(port))
    kind: Kind
    words, text, hard = f"input `{port}`", "", True
    if old is None or new is None:
        kind, text = "input", f"input `{port}` {_how(old, new)}"
    elif _is_other(port, before, after):
        is_sampled = old.source == new.source == "sampled"
        kind = "provider" if is_sampled else "input"
        words = f"what input `{port}` is drawn by" if is_sampled else words
        text = f"{words} changed" + ("" if is_sampled else _way(came_from, comes_from))
    elif old.digest != new.digest and old.digest and new.digest:
        kind, hard, text = "sample", False, f"`{port}` resampled"
    elif came_from != comes_from:
        kind, hard = "origin", False
        text = f"input `{port}` has the same value{_way(came_from, comes_from)}"
    else:
        return None
    before_hex, after_hex = (_identity(given, kind) for given in (old, new))
    return Change(kind, port, _how(old, new), hard, words, text, "", before_hex, after_hex, came_from, comes_from)


def _identity(given: Binding | None, kind: Kind) -> str:
    if given is None:
        return ""
    return (given.provider if kind == "provider" else given.digest or given.provider).hex()


def _origin(given: Binding | None, node: str | None) -> str:
    if given is None:
        return ""
    if given.source == "edge":
        return f"node `{node}`" if node is not None else "another node"
    return given.source


_WAYS = {"ui": "the page", "fixed": "the script", "sampled": "a function that draws it"}


def _way(came_from: str, comes_from: str) -> str:
    """Where an input comes from, and where it came from if that is another place."""
    now = _WAYS.get(comes_from, comes_from)
    if came_from == comes_from:
        return "" if comes_from in ("ui", "fixed") else f", which comes from {now}"
    return f": it comes from {now}, and came from {_WAYS.get(came_from, came_from)}"


# ---------------------------------------------------------------- what is no part of keys


def _soft(before: Mapping[str, str], after: Mapping[str, str]) -> list[Change]:
    found = []
    for name in _differing(before, after):
        old, new = before.get(name), after.get(name)
        if old is None or new is None:
            text = f"{name} {new or old} is {'no longer used' if new is None else 'used now'} (soft)"
        else:
            text = f"{name} {old} → {new} (soft)"
        found.append(Change("soft", name, _how(old, new), False, name, text, "", old or "", new or ""))
    return found
