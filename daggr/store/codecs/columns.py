"""pandas' columns and indexes: a form, which is a canonical value, and buffers that hold the elements.

Errors name the part by a path like `['price'][3]` or `.index`.
"""

from __future__ import annotations

import zoneinfo
from collections import deque
from collections.abc import Callable
from datetime import timezone, tzinfo
from typing import Any

import numpy as np
import pandas as pd

from daggr.digest import UnencodableError
from daggr.errors import UnknownCodecError
from daggr.store.codecs import standard
from daggr.store.codecs.arrays import array_from, dtype_form, dtype_of, elements
from daggr.store.codecs.codec import Chunk
from daggr.store.codecs.registry import canonical, from_canonical

_MASKED = (pd.arrays.IntegerArray, pd.arrays.FloatingArray, pd.arrays.BooleanArray)
_INDEXES = (pd.Index, pd.DatetimeIndex, pd.TimedeltaIndex, pd.PeriodIndex, pd.CategoricalIndex, pd.IntervalIndex)


def zone_form(zone: tzinfo | None, of: object) -> Any:
    """A time zone as a canonical value; also those that pandas makes of a name.

    Raises:
        UnencodableError: it cannot be made again from a name or an offset. It says so of the value `of`.
    """
    own_kind = zone is not None and type(zone) not in (zoneinfo.ZoneInfo, timezone)
    if own_kind and type(known := _zone_of_name(str(zone))) is type(zone) and str(known) == str(zone):
        return ("pandas", str(zone))
    return standard.zone_form(zone, of)


def _zone_of_name(name: str) -> tzinfo | None:
    try:
        zone: tzinfo | None = pd.DatetimeTZDtype("ns", name).tz
    except (ValueError, TypeError, KeyError):
        return None
    return zone


def zone_of(form: Any) -> tzinfo | None:
    """The time zone of a form."""
    if form is not None and form[0] == "pandas":
        zone: tzinfo | None = pd.DatetimeTZDtype("ns", form[1]).tz
        return zone
    return standard.zone_of(form)


def period_name(dtype: pd.PeriodDtype, of: object) -> str:
    """The name of a dtype's freq.

    Raises:
        UnencodableError: the dtype cannot be made again from it. It says so of the value `of`.
    """
    name = str(dtype).removeprefix("period[").removesuffix("]")
    if pd.PeriodDtype(name) != dtype:
        raise UnencodableError(of, f"whose freq {dtype.freq!r} cannot be made again from its name")
    return name


class Writer:
    """Turns columns and indexes into forms; the buffers gather in `buffers`."""

    def __init__(self) -> None:
        self.buffers: list[Chunk] = []

    def column(self, data: Any) -> Any:
        """The form of a Series or an index, without its name.

        Raises:
            UnencodableError: its dtype is none that daggr knows, or an element has no codec.
        """
        dtype = data.dtype
        if isinstance(dtype, np.dtype):
            return self._object(data) if dtype.kind == "O" else self._numpy(data.to_numpy(), data)
        if isinstance(data.array, _MASKED):
            values = data.array.to_numpy(dtype=dtype.numpy_dtype, na_value=dtype.numpy_dtype.type(0))
            return ("masked", self._numpy(values, data), self._numpy(data.array.isna(), data))
        if isinstance(dtype, pd.StringDtype):
            self.buffers.append(canonical(data.to_numpy(dtype=object, na_value=None).tolist()))
            return ("string", dtype.storage, dtype.na_value is pd.NA)
        if isinstance(dtype, pd.CategoricalDtype):
            return ("category", self.index(dtype.categories), bool(dtype.ordered), self._numpy(data.array.codes, data))
        if isinstance(dtype, pd.DatetimeTZDtype):
            stamps = pd.DatetimeIndex(data.array).asi8
            return ("datetime", dtype.unit, zone_form(dtype.tz, data), self._numpy(stamps, data))
        if isinstance(dtype, pd.PeriodDtype):
            return ("period", period_name(dtype, data), self._numpy(pd.PeriodIndex(data.array).asi8, data))
        if isinstance(dtype, pd.IntervalDtype):
            sides = pd.IntervalIndex(data.array)
            return ("interval", sides.closed, self.index(sides.left), self.index(sides.right))
        raise UnencodableError(data, f"whose dtype {dtype} daggr does not know")

    def index(self, index: pd.Index) -> Any:
        """The form of an index with all that it has."""
        if type(index) is pd.RangeIndex:
            return ("range", index.start, index.stop, index.step, canonical(index.name))
        if type(index) is pd.MultiIndex:
            levels = [self.index(level) for level in index.levels]
            codes = [self._numpy(np.asarray(codes), index) for codes in index.codes]
            return ("levels", levels, codes, [canonical(name) for name in index.names], index.sortorder)
        if type(index) not in _INDEXES:
            raise UnencodableError(index, "of a kind that daggr does not know")
        freq = None if type(index) is pd.PeriodIndex else getattr(index, "freq", None)
        if freq is not None and pd.tseries.frequencies.to_offset(freq.freqstr) != freq:
            raise UnencodableError(index, f"whose freq {freq!r} cannot be made again from its name")
        return ("index", self.column(index), canonical(index.name), freq and freq.freqstr)

    def _numpy(self, array: np.ndarray[Any, Any], of: object) -> Any:
        form = dtype_form(array.dtype, of)
        self.buffers.append(elements(array))
        return ("numpy", form)

    def _object(self, data: Any) -> Any:
        self.buffers.append(canonical(data.to_numpy().tolist()))
        return ("object",)


class Reader:
    """Makes columns and indexes of forms and the buffers they were written with, in the same order."""

    def __init__(self, buffers: list[memoryview]) -> None:
        self._buffers = deque(buffers)
        self._readers: dict[str, Callable[..., Any]] = {
            "numpy": self._numpy,
            "object": self._object,
            "masked": self._masked,
            "string": self._string,
            "category": self._category,
            "datetime": self._datetime,
            "period": self._period,
            "interval": self._interval,
        }

    def column(self, form: Any) -> Any:
        """The array of a form: numpy's or an extension's."""
        return self._readers[form[0]](*form[1:])

    def index(self, form: Any) -> pd.Index:
        """The index of a form."""
        kind, *parts = form
        if kind == "range":
            start, stop, step, name = parts
            return pd.RangeIndex(start, stop, step, name=from_canonical(name))
        if kind == "levels":
            levels, codes, names, order = parts
            levels = [self.index(level) for level in levels]
            codes = [self.column(each) for each in codes]
            return pd.MultiIndex(levels, codes, sortorder=order, names=[from_canonical(name) for name in names])
        if kind != "index":
            raise ValueError(f"no index: {kind!r}")
        column, name, freq = parts
        array = self.column(column)
        index = pd.Index(array, dtype=array.dtype, name=from_canonical(name), tupleize_cols=False)
        if freq is not None:
            index.freq = freq
        return index

    def end(self) -> None:
        """Check that no buffer is left.

        Raises:
            ValueError: one is.
        """
        if self._buffers:
            raise ValueError("a buffer that belongs to nothing")

    def _numpy(self, form: Any) -> np.ndarray[Any, Any]:
        dtype, data = dtype_of(form), self._buffers.popleft()
        return array_from((len(data) // dtype.itemsize,), dtype, data)

    def _object(self) -> np.ndarray[Any, Any]:
        values = from_canonical(self._buffers.popleft())
        array = np.empty(len(values), object)
        for at, value in enumerate(values):
            array[at] = value
        return array

    def _masked(self, values: Any, mask: Any) -> Any:
        data = self.column(values)
        kind = {"b": pd.arrays.BooleanArray, "f": pd.arrays.FloatingArray}.get(data.dtype.kind, pd.arrays.IntegerArray)
        return kind(data, self.column(mask))

    def _string(self, storage: str, na: bool) -> Any:
        values = from_canonical(self._buffers.popleft())
        if not all(isinstance(value, str) or value is None for value in values):
            raise ValueError("a text that is none")
        try:
            dtype = pd.StringDtype(storage) if na else pd.StringDtype(storage, na_value=np.nan)
            return pd.array(values, dtype=dtype)
        except ImportError as error:
            raise UnknownCodecError(
                f"A table has a column of texts kept by {storage}: {error}", "Install it: pip install pyarrow"
            ) from error

    def _category(self, categories: Any, ordered: bool, codes: Any) -> pd.Categorical:
        dtype = pd.CategoricalDtype(self.index(categories), ordered)
        return pd.Categorical.from_codes(self.column(codes), dtype=dtype)

    def _datetime(self, unit: str, zone: Any, stamps: Any) -> Any:
        array = self.column(stamps).view(f"M8[{unit}]")
        return pd.DatetimeIndex(array).tz_localize("UTC").tz_convert(zone_of(zone)).array

    def _period(self, freq: str, ordinals: Any) -> Any:
        return pd.arrays.PeriodArray(self.column(ordinals), dtype=pd.PeriodDtype(freq))

    def _interval(self, closed: Any, left: Any, right: Any) -> Any:
        return pd.arrays.IntervalArray.from_arrays(self.index(left), self.index(right), closed)
