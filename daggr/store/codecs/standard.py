"""Values of the standard library: dates and times, exact numbers, UUIDs. Each as a canonical value of plain parts."""

from __future__ import annotations

import zoneinfo
from collections.abc import Callable
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from fractions import Fraction
from typing import Any
from uuid import UUID

from daggr.digest import UnencodableError
from daggr.store.codecs.codec import Chunk, Codec, Content, pack, unpack

_MICROSECOND = timedelta(microseconds=1)


def zone_form(zone: tzinfo | None, of: object) -> Any:
    """A time zone as a canonical value: a name of the tz database, or an offset in microseconds.

    Raises:
        UnencodableError: it is of another kind. It says so of the value `of`.
    """
    if zone is None:
        return None
    if type(zone) is zoneinfo.ZoneInfo and zone.key:
        return ("zone", zone.key)
    if type(zone) is timezone:
        offset = zone.utcoffset(None)
        if zone.tzname(None) == timezone(offset).tzname(None):
            return ("offset", offset // _MICROSECOND)
    raise UnencodableError(of, f"whose time zone {zone!r} daggr cannot keep; use zoneinfo.ZoneInfo")


def zone_of(form: Any) -> tzinfo | None:
    """The time zone of a form."""
    if form is None:
        return None
    kind, value = form
    return zoneinfo.ZoneInfo(value) if kind == "zone" else timezone(value * _MICROSECOND)


def _clock(moment: datetime | time) -> tuple[Any, ...]:
    parts = (moment.hour, moment.minute, moment.second, moment.microsecond)
    return (*parts, zone_form(moment.tzinfo, moment), moment.fold)


def _from_clock(hour: int, minute: int, second: int, micro: int, zone: Any, fold: int) -> time:
    return time(hour, minute, second, micro, zone_of(zone), fold=fold)


def _moment(parts: Any) -> datetime:
    year, month, day, *clock = parts
    return datetime.combine(date(year, month, day), _from_clock(*clock))


_FORMS: dict[type, tuple[str, Callable[[Any], Any], Callable[[Any], Any]]] = {
    datetime: ("datetime", lambda it: (it.year, it.month, it.day, *_clock(it)), _moment),
    date: ("date", lambda it: (it.year, it.month, it.day), lambda parts: date(*parts)),
    time: ("time", _clock, lambda parts: _from_clock(*parts)),
    timedelta: ("timedelta", lambda it: it // _MICROSECOND, lambda count: count * _MICROSECOND),
    Decimal: ("decimal", lambda it: tuple(it.as_tuple()), Decimal),
    Fraction: ("fraction", lambda it: (it.numerator, it.denominator), lambda parts: Fraction(*parts)),
    UUID: ("uuid", lambda it: it.bytes, lambda data: UUID(bytes=data)),
}


def codec_of(kind: type) -> Codec | None:
    """The codec for exactly this type."""
    return CODECS[_FORMS[kind][0]] if kind in _FORMS else None


def _codec(kind: type) -> Codec:
    name, form, value_of = _FORMS[kind]

    def write(value: Any) -> list[Chunk]:
        return pack(form(value))

    def read(content: Content) -> Any:
        parts, buffers = unpack(content)
        value = value_of(parts)
        if buffers or type(value) is not kind or form(value) != parts:
            raise ValueError(f"no {name}: {parts!r}")
        return value

    return Codec(name, write, read)


CODECS = {_FORMS[kind][0]: _codec(kind) for kind in _FORMS}
