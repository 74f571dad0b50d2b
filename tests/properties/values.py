"""Strategies of values that have canonical bytes, and an equality that sees what `==` does not."""

from __future__ import annotations

import math
import struct
from typing import Any

from hypothesis import strategies as st

TEXT = st.text(st.characters(exclude_categories=()), max_size=12)
"""All code points, surrogates included."""

INTEGERS = st.integers() | st.integers(0, 14_000).map(lambda bits: -(1 << bits))
FLOATS = st.floats() | st.sampled_from([0.0, -0.0, math.nan, math.inf, -math.inf])
COMPLEX = st.builds(complex, FLOATS, FLOATS)
HASHABLE_LEAVES = st.none() | st.booleans() | INTEGERS | FLOATS | COMPLEX | TEXT | st.binary(max_size=12)
HASHABLE = st.recursive(
    HASHABLE_LEAVES,
    lambda inner: st.lists(inner, max_size=4).map(tuple) | st.frozensets(inner, max_size=4),
    max_leaves=8,
)


def _wider(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(HASHABLE, inner, max_size=4)
        | st.sets(HASHABLE, max_size=4)
        | st.frozensets(HASHABLE, max_size=4)
    )


VALUES = st.recursive(HASHABLE_LEAVES | st.binary(max_size=12).map(bytearray), _wider, max_leaves=12)
"""Everything that `daggr.digest.encode` takes."""

_SMALL = st.sampled_from(
    [None, False, True, 0, 1, 0.0, -0.0, 1.0, 1 + 0j, math.nan, "", "1", b"", b"1", (), frozenset()]
)
ALIKE = st.recursive(
    _SMALL | st.sampled_from([bytearray(), bytearray(b"1")]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.lists(inner, max_size=2).map(tuple)
        | st.dictionaries(_SMALL, inner, max_size=2)
        | st.sets(_SMALL, max_size=2)
        | st.frozensets(_SMALL, max_size=2)
    ),
    max_leaves=4,
)
"""Small values that are easily taken for one another."""


def same(one: Any, other: Any) -> bool:
    """Whether two values are equal and of equal types, all the way down. All NaNs are one; -0.0 is not 0.0."""
    if type(one) is not type(other):
        return False
    match one:
        case float():
            return (math.isnan(one) and math.isnan(other)) or struct.pack(">d", one) == struct.pack(">d", other)
        case complex():
            return same(one.real, other.real) and same(one.imag, other.imag)
        case list() | tuple():
            return len(one) == len(other) and all(map(same, one, other))
        case dict():
            return same(list(one.items()), list(other.items()))
        case set() | frozenset():
            return len(one) == len(other) and _same_members(list(one), list(other))
        case _:
            return bool(one == other)


def _same_members(one: list[Any], other: list[Any]) -> bool:
    for member in one:
        match = next((index for index, candidate in enumerate(other) if same(member, candidate)), None)
        if match is None:
            return False
        del other[match]
    return True
