"""Strategies of values that have canonical bytes, and an equality that sees what `==` does not."""

from __future__ import annotations

import math
import struct
from datetime import date, time, timedelta, timezone
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

DAY = timedelta(hours=23, minutes=59)
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


# ---------------------------------------------------------------- values that codecs write

PLAIN_DTYPES = st.one_of(
    hnp.boolean_dtypes(),
    hnp.integer_dtypes(endianness="?"),
    hnp.unsigned_integer_dtypes(endianness="?"),
    hnp.floating_dtypes(endianness="?", sizes=(16, 32, 64)),
    hnp.complex_number_dtypes(endianness="?", sizes=(64, 128)),
    hnp.byte_string_dtypes(min_len=1, max_len=4),
    hnp.unicode_string_dtypes(endianness="?", min_len=1, max_len=3),
    hnp.datetime64_dtypes(endianness="?"),
    hnp.timedelta64_dtypes(endianness="?"),
)
DTYPES = PLAIN_DTYPES | hnp.nested_dtypes(PLAIN_DTYPES, max_leaves=4, max_itemsize=256)
SHAPES = hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3)


@st.composite
def arrays(draw: st.DrawFn, dtypes: st.SearchStrategy[Any] = DTYPES) -> Any:
    """Arrays of arbitrary bytes, laid out in memory in any way."""
    dtype, shape = draw(dtypes), draw(SHAPES)
    values = np.zeros(shape, dtype)
    leaf = dtype.base if dtype.subdtype else dtype
    if leaf.kind in "iufcmM" and values.size:
        raw = draw(st.binary(min_size=values.nbytes, max_size=values.nbytes))
        values = np.frombuffer(raw, leaf).reshape(values.shape).copy()
    elif leaf.kind in "bSU" and values.size:
        values.flat[0] = draw(st.booleans() if leaf.kind == "b" else st.sampled_from(["", "a", "bc"]))
    layout = draw(st.sampled_from(["as is", "F", "strided", "reversed", "read-only"]))
    if layout == "F":
        values = np.asfortranarray(values) if values.ndim else values
    elif layout == "strided" and values.ndim:
        values = np.repeat(values, 2, axis=0)[::2]
    elif layout == "reversed" and values.ndim:
        values = values[::-1]
    elif layout == "read-only":
        values.flags.writeable = False
    return values


SCALARS = arrays(PLAIN_DTYPES).filter(lambda array: array.size > 0).map(lambda array: array.reshape(-1)[0])


MOMENTS = (
    st.datetimes(timezones=st.none() | st.timezones() | st.builds(timezone, st.timedeltas(-DAY, DAY)))
    | st.dates()
    | st.times(timezones=st.none() | st.just(timezone.utc))
    | st.timedeltas()
    | st.decimals()
    | st.fractions()
    | st.uuids()
)
"""Values of the standard library that have a codec."""


@st.composite
def images(draw: st.DrawFn) -> Image.Image:
    """Images of all modes, with palettes and entries of `info`."""
    mode = draw(
        st.sampled_from(["1", "L", "P", "PA", "LA", "RGB", "RGBA", "RGBa", "CMYK", "YCbCr", "HSV", "I", "F", "I;16"])
    )
    width, height = draw(st.tuples(st.integers(0, 9), st.integers(0, 3)))
    size = len(Image.new(mode, (width, height)).tobytes())
    image = Image.frombytes(mode, (width, height), draw(st.binary(min_size=size, max_size=size)))
    if mode in ("P", "PA"):
        colors = draw(st.sampled_from(["RGB", "RGBA"]))
        image.putpalette(draw(st.binary(min_size=12, max_size=12)), colors)
    image.info = draw(st.dictionaries(TEXT, TEXT | INTEGERS | st.binary(max_size=4) | st.tuples(FINITE), max_size=2))
    return image


FINITE = st.floats(allow_nan=False).map(lambda x: x + 0.0)
"""Without -0.0, which pandas' own comparison takes for 0.0."""

CELLS = (
    st.none()
    | st.just(math.nan)
    | st.just(pd.NA)
    | st.just(pd.NaT)
    | INTEGERS
    | TEXT
    | st.builds(np.float32, st.just(1))
)
FLOATS32 = st.floats(width=32, allow_nan=False).map(lambda x: x + 0.0)
LABELS = st.text("ab", max_size=2) | st.integers(0, 3) | st.none() | st.tuples(st.integers(0, 2))


def columns(size: int) -> st.SearchStrategy[Any]:
    """Columns of one length, of most dtypes that pandas has."""
    many = lambda values: st.lists(values, min_size=size, max_size=size)  # noqa: E731
    moments = many(st.integers(0, 2**40))
    whole = many(st.none() | st.integers(-9, 9))
    texts = many(st.none() | st.text("aü", max_size=2))
    return st.one_of(
        many(FLOATS32).map(lambda x: np.array(x, "f4")),
        many(st.integers(-9, 9)).map(lambda x: np.array(x, "i2")),
        many(CELLS).map(lambda x: pd.Series(x, dtype=object).array),
        whole.map(lambda x: pd.array(x, dtype="Int64")),
        many(st.none() | FINITE).map(lambda x: pd.array(x, dtype="Float64")),
        many(st.none() | st.booleans()).map(lambda x: pd.array(x, dtype="boolean")),
        texts.map(lambda x: pd.array(x, dtype="string")),
        st.tuples(texts, st.booleans()).map(lambda x: pd.Categorical(x[0], ordered=x[1])),
        moments.map(lambda x: np.array(x, "M8[ms]")),
        moments.map(lambda x: np.array(x, "m8[us]")),
        moments.map(lambda x: pd.to_datetime(x, unit="us", utc=True).tz_convert("Asia/Tokyo").array),
        moments.map(lambda x: pd.arrays.PeriodArray(np.array(x, "i8") % 9999, dtype=pd.PeriodDtype("D"))),
        many(st.integers(-9, 9)).map(lambda x: pd.arrays.IntervalArray.from_arrays(x, [y + 1 for y in x])),
    )


def indexes(size: int) -> st.SearchStrategy[Any]:
    """Indexes of one length, of all kinds that pandas has."""
    index = st.builds(lambda array, name: pd.Index(array, dtype=array.dtype, name=name), columns(size), LABELS)
    counted = st.builds(lambda start, step: pd.RangeIndex(start, start + size * step, step), st.integers(), st.just(3))
    spaced = st.sampled_from(["D", "h", "W-MON"]).map(
        lambda freq: pd.date_range("2020-01-06", periods=size, freq=freq, tz="Europe/Paris")
    )
    levels = st.lists(st.lists(st.integers(0, 2) | st.none(), min_size=size, max_size=size), min_size=2, max_size=2)
    nested = st.builds(lambda x, name: pd.MultiIndex.from_arrays(x, names=[name, "b"]), levels, LABELS)
    return index | counted.filter(lambda index: len(index) == size) | spaced | nested


@st.composite
def frames(draw: st.DrawFn) -> Any:
    """Tables of a few cells, with attributes."""
    rows, width = draw(st.integers(0, 3)), draw(st.integers(0, 3))
    index = draw(indexes(rows))
    frame = pd.DataFrame(
        {
            at: pd.Series(array, index=index, dtype=array.dtype)
            for at, array in enumerate(draw(st.tuples(*[columns(rows)] * width)))
        },
        index=index,
    )
    frame.columns = draw(
        indexes(width)
        | st.lists(LABELS, min_size=width, max_size=width).map(lambda x: pd.Index(x, dtype=object, tupleize_cols=False))
    )
    frame.attrs = draw(st.dictionaries(TEXT, INTEGERS, max_size=1))
    return frame


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
        case np.ndarray():
            return _same_arrays(one, other)
        case np.generic():
            return _same_arrays(np.asarray(one), np.asarray(other))
        case Image.Image():
            return _seen(one) == _seen(other) and same(sorted(one.info.items()), sorted(other.info.items()))
        case pd.DataFrame() | pd.Series():
            return _same_tables(one, other)
        case pd.Timestamp():
            return bool(one == other)
        case Decimal() | date() | time():  # all that can be seen: digits, zone, fold
            return repr(one) == repr(other)
        case _ if one is pd.NA or one is pd.NaT:
            return one is other
        case _:
            return bool(one == other)


def _same_members(one: list[Any], other: list[Any]) -> bool:
    for member in one:
        match = next((index for index, candidate in enumerate(other) if same(member, candidate)), None)
        if match is None:
            return False
        del other[match]
    return True


def _same_arrays(one: Any, other: Any) -> bool:
    if (one.dtype, one.dtype.str, one.shape) != (other.dtype, other.dtype.str, other.shape):
        return False
    return _leaves(one) == _leaves(other)


def _leaves(array: Any) -> list[bytes]:
    names = array.dtype.names
    return [leaf for name in names for leaf in _leaves(array[name])] if names else [array.tobytes()]


def _seen(image: Image.Image) -> tuple[Any, ...]:
    return image.mode, image.size, image.getpalette(None), image.tobytes()


def _same_tables(one: Any, other: Any) -> bool:
    check = pd.testing.assert_frame_equal if isinstance(one, pd.DataFrame) else pd.testing.assert_series_equal
    try:
        check(one, other, check_exact=True, check_freq=True, check_flags=True, check_index_type="exact")
    except AssertionError:
        return False
    if isinstance(one, pd.DataFrame) and (list(one.dtypes), one.columns.dtype) != (
        list(other.dtypes),
        other.columns.dtype,
    ):
        return False
    cells = [(x.iloc[:, at] for x in (one, other)) for at in range(one.shape[1])] if one.ndim == 2 else [(one, other)]
    objects = [(x.tolist(), y.tolist()) for x, y in cells if x.dtype.kind == "O" and x.dtype == object]
    return one.attrs == other.attrs and all(same(x, y) for x, y in objects)
