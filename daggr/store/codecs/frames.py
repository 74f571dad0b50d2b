"""pandas' tables, series and the scalars that stand in their cells."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from daggr.digest import UnencodableError
from daggr.store.codecs.codec import Chunk, Codec, Content, pack, unpack
from daggr.store.codecs.columns import Reader, Writer, period_name, zone_form, zone_of
from daggr.store.codecs.registry import canonical, from_canonical


def codec_of(kind: type) -> Codec | None:
    """The codec for tables, series or scalars, of exactly pandas' own types."""
    if kind is pd.DataFrame:
        return CODECS["dataframe"]
    if kind is pd.Series:
        return CODECS["series"]
    return CODECS["pandas scalar"] if kind in _KINDS else None


# ---------------------------------------------------------------- tables and series


def _encode_frame(frame: pd.DataFrame) -> list[Chunk]:
    writer = Writer()
    index, columns = _part(writer.index, frame.index, ".index"), _part(writer.index, frame.columns, ".columns")
    forms = [
        _part(writer.column, frame.iloc[:, at], f"[{name!r}]" if isinstance(name, (str, int)) else f".iloc[:, {at}]")
        for at, name in enumerate(frame.columns)
    ]
    return pack((forms, index, columns, *_besides(frame)), writer.buffers)


def _decode_frame(content: Content) -> pd.DataFrame:
    (forms, index_form, columns_form, attrs, duplicates), buffers = unpack(content)
    reader = Reader(_kept(buffers, content))
    index, columns = reader.index(index_form), reader.index(columns_form)
    series = {at: _series(reader.column(form), index) for at, form in enumerate(forms)}
    reader.end()
    frame = pd.DataFrame(series, index=index)
    frame.columns = columns
    return _with(frame, attrs, duplicates)


def _encode_series(series: pd.Series[Any]) -> list[Chunk]:
    writer = Writer()
    index, form = _part(writer.index, series.index, ".index"), _part(writer.column, series, "")
    name = _part(canonical, series.name, ".name")
    return pack((form, index, name, *_besides(series)), writer.buffers)


def _decode_series(content: Content) -> pd.Series[Any]:
    (form, index_form, name, attrs, duplicates), buffers = unpack(content)
    reader = Reader(_kept(buffers, content))
    index = reader.index(index_form)
    series = _series(reader.column(form), index)
    reader.end()
    series.name = from_canonical(name)
    return _with(series, attrs, duplicates)


def _series(array: Any, index: pd.Index) -> pd.Series[Any]:
    if len(array) != len(index):
        raise ValueError("a column that is longer or shorter than the index")
    return pd.Series(array, index=index, dtype=array.dtype, copy=False)


def _besides(value: Any) -> tuple[Any, ...]:
    """What a table or a series has besides its cells."""
    return _part(canonical, dict(value.attrs), ".attrs"), value.flags.allows_duplicate_labels


def _with(value: Any, attrs: bytes, duplicates: bool) -> Any:
    value.attrs = from_canonical(attrs)
    if not duplicates:
        value.flags.allows_duplicate_labels = False
    return value


def _part(write: Any, part: Any, path: str) -> Any:
    """What `write` makes of a part; an error says which part it is."""
    try:
        return write(part)
    except UnencodableError as error:
        error.within(path)
        raise


def _kept(buffers: list[memoryview], content: Content) -> list[memoryview]:
    return buffers if isinstance(content, bytearray) else [buffer.toreadonly() for buffer in buffers]


# ---------------------------------------------------------------- scalars


def _encode_scalar(scalar: Any) -> list[Chunk]:
    return pack(_scalar_form(scalar))


def _scalar_form(scalar: Any) -> tuple[Any, ...]:
    if isinstance(scalar, pd.Interval):
        return ("Interval", canonical(scalar.left), canonical(scalar.right), scalar.closed)
    if isinstance(scalar, pd.Period):
        return ("Period", scalar.ordinal, period_name(pd.PeriodDtype(scalar.freq), scalar))
    if isinstance(scalar, pd.Timestamp):
        zone = zone_form(scalar.tzinfo, scalar)
        # without a zone the moment does not tell which of two equal hours it is
        fold = (1,) if zone is None and scalar.fold else ()
        return ("Timestamp", int(scalar.asm8.view("i8")), scalar.unit, zone, *fold)
    if isinstance(scalar, pd.Timedelta):
        return ("Timedelta", int(scalar.asm8.view("i8")), scalar.unit)
    return ("NaT" if scalar is pd.NaT else "NA",)


def _decode_scalar(content: Content) -> Any:
    (kind, *parts), buffers = unpack(content)
    scalar = _SCALARS[kind](*parts)
    if kind == "Timestamp":  # another pandas may have made another zone of the name
        parts[2] = zone_form(zone_of(parts[2]), scalar)
    if buffers or _scalar_form(scalar) != (kind, *parts):
        raise ValueError("not the form of a scalar")
    return scalar


def _timestamp(count: int, unit: Any, zone: Any, fold: int = 0) -> Any:
    moment = pd.Timestamp(np.datetime64(count, unit))
    moment = moment.replace(fold=1) if fold else moment
    return moment if zone is None else moment.tz_localize("UTC").tz_convert(zone_of(zone))


_SCALARS: dict[str, Callable[..., Any]] = {
    "NaT": lambda: pd.NaT,
    "NA": lambda: pd.NA,
    "Timestamp": _timestamp,
    "Timedelta": lambda count, unit: pd.Timedelta(np.timedelta64(count, unit)),
    "Period": lambda ordinal, freq: pd.Period(ordinal=ordinal, freq=freq),
    "Interval": lambda left, right, closed: pd.Interval(from_canonical(left), from_canonical(right), closed),
}
_KINDS = (pd.Timestamp, pd.Timedelta, pd.Period, pd.Interval, type(pd.NaT), type(pd.NA))

CODECS = {
    "dataframe": Codec("dataframe", _encode_frame, _decode_frame),
    "series": Codec("series", _encode_series, _decode_series),
    "pandas scalar": Codec("pandas scalar", _encode_scalar, _decode_scalar),
}
