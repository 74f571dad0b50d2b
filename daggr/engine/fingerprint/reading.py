"""Readings: definitions as they were before their functions ran.

A function may keep things: a memo in a dictionary, a model that is loaded when it is first needed. That is its own
business and makes no result stale. What the user changes between two runs of one process, in a notebook or a script,
does. So a definition is read anew each time, and a change counts unless it came about while functions were running:
`settle` is called when they have ended, and notes what they left behind.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import Any

from daggr.engine.fingerprint.leaves import LeafMap
from daggr.engine.fingerprint.python import add_python

KEPT = 4096


@dataclass
class _Reading:
    """A definition as it counts, and as it was seen last."""

    value: Any
    leaves: LeafMap
    last: LeafMap


_lock = threading.Lock()
_readings: OrderedDict[tuple[str, int], _Reading] = OrderedDict()


def read_python(leaves: LeafMap, name: str, value: Any) -> None:
    """Add the leaves of a function, class, instance or plain value under a name, as its user left it."""
    key = (name, id(value))
    with _lock:
        known = _readings.get(key)
    if known is None or known.value is not value:
        seen = _look(name, value)
        known = _Reading(value, seen, seen)  # the reference keeps the id from being used again
    elif not known.last.watch.unchanged():
        seen = _look(name, value)
        known = _Reading(value, _since(known, seen), seen)
    with _lock:
        _readings[key] = known
        _readings.move_to_end(key)
        while len(_readings) > KEPT:
            _readings.popitem(last=False)
    leaves.include(known.leaves)


def _since(known: _Reading, seen: LeafMap) -> LeafMap:
    """A definition with what its user changed since it was seen last, and without what functions left behind before."""
    was, last = known.leaves, known.last
    if seen.leaves == last.leaves:
        return was
    if was.leaves == last.leaves:
        return seen
    leaves = dict(was.leaves)
    for name in {**last.leaves, **seen.leaves}:
        if last.leaves.get(name) != (leaf := seen.leaves.get(name)):
            leaves.pop(name, None)
            if leaf is not None:
                leaves[name] = leaf
    uncached = was.uncached if seen.uncached == last.uncached else seen.uncached
    return replace(seen, leaves=leaves, uncached=uncached)


def settle() -> None:
    """Functions have run, and none does now: what they changed is theirs."""
    with _lock:
        known = list(_readings.items())
    for (name, _), reading in known:
        if not reading.last.watch.unchanged():
            reading.last = _look(name, reading.value)


def _look(name: str, value: Any) -> LeafMap:
    found = LeafMap()
    add_python(found, name, value)
    return found
