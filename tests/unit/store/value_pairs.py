"""Two tables of pairs of values: those that functions can tell apart, and those that are equal but made differently.

`python -m tests.unit.store.value_pairs` prints the digests of all of them, for comparing processes and versions.
"""

from __future__ import annotations

import copy
import json
import sys
from array import array
from collections import OrderedDict, deque, namedtuple
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from struct import unpack
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np

from daggr.digest import Digest
from daggr.store.artifacts import identify
from daggr.store.store import Store
from tests.unit.store import library_pairs
from tests.unit.store.library_pairs import NAN, Pairs, Refused


class File(NamedTuple):
    """A file of this content, in a folder of its own."""

    content: bytes
    name: str
    folder: str = "."

    def path(self, root: Path) -> Path:
        path = root / self.folder / self.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(self.content)
        return path


POINT = namedtuple("POINT", "x y")
LONG = list(range(70_000))
ODD_NAN = unpack(">d", bytes.fromhex("fff8000000000123"))[0]


# ---------------------------------------------------------------- Python's own


def different_scalars() -> Pairs:
    return {
        "True, 1": (True, 1),
        "False, 0": (False, 0),
        "1, 1.0": (1, 1.0),
        "1.0, True": (1.0, True),
        "1, text": (1, "1"),
        "None, text": (None, "None"),
        "None, False": (None, False),
        "None, empty text": (None, ""),
        "0.0, -0.0": (0.0, -0.0),
        "neighbouring floats": (0.1 + 0.2, 0.3),
        "a float and its neighbouring int": (2.0**53, 2**53 + 1),
        "infinities": (float("inf"), float("-inf")),
        "NaN, None": (NAN, None),
        "2**63, as a float": (2**63, 2.0**63),
        "2**64, 2**64 - 1": (2**64, 2**64 - 1),
        "2**63, -2**63": (2**63, -(2**63)),
        "-2**63 - 1, -2**63": (-(2**63) - 1, -(2**63)),
        "2**64, 0": (2**64, 0),
        "-1, 2**64 - 1": (-1, 2**64 - 1),
        "huge ints": (10**5000, 10**5000 + 1),
        "a huge int, its negative": (10**5000, -(10**5000)),
        "an int, its bytes": (2**64, (2**64).to_bytes(9, "big")),
        "complex, float": (1 + 0j, 1.0),
        "complex zeros": (complex(0.0, 0.0), complex(0.0, -0.0)),
        "complex parts": (1 + 2j, 2 + 1j),
        "NFC, NFD": ("é", "e\u0301"),
        "a lone surrogate, the text of its bytes": ("\ud800", "\u00ed\u00a0\u0080"),
        "lone surrogates": ("\ud800", "\udc00"),
        "a character, its surrogates": ("😀", "\ud83d\ude00"),
        "a text and one with a zero": ("a", "a\0"),
        "case": ("a", "A"),
        "text, bytes": ("a", b"a"),
        "bytes, bytearray": (b"a", bytearray(b"a")),
        "bytes, memoryview": (b"a", Refused(memoryview(b"a"))),
        "a text, one of its own kind": ("a", Refused(type("Name", (str,), {})("a"))),
    }


def different_containers() -> Pairs:
    return {
        "tuple, list": ((1, 2), [1, 2]),
        "set, frozenset": ({1}, frozenset({1})),
        "set, list": ({1}, [1]),
        "empty list, tuple": ([], ()),
        "empty list, dict": ([], {}),
        "empty dict, set": ({}, set()),
        "empty set, frozenset": (set(), frozenset()),
        "empty bytes, text": (b"", ""),
        "empty list, None": ([], None),
        "one in a list": ([1], 1),
        "order": ([1, 2], [2, 1]),
        "order of a dict": ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        "kinds of keys": ({1: "x"}, {"1": "x"}),
        "True or 1 as key": ({True: "x"}, {1: "x"}),
        "1 or 1.0 as key": ({1: "x"}, {1.0: "x"}),
        "a None as key": ({None: "x"}, {"": "x"}),
        "text or bytes as key": ({"a": 1}, {b"a": 1}),
        "key or value": ({"a": "b"}, {"b": "a"}),
        "a dict, its items": ({"a": 1}, [("a", 1)]),
        "a None and nothing": ({"a": None}, {}),
        "members of a set": ({1, 2}, {1, 3}),
        "True or 1 in a set": ({True}, {1}),
        "0.0 or -0.0 in a set": ({0.0}, {-0.0}),
        "where brackets stand": ([[1], 2], [[1, 2]]),
        "where empty brackets stand": ([[], [[]]], [[[]], []]),
        "where texts end": (["ab", "c"], ["a", "bc"]),
        "where bytes end": ([b"ab", b""], [b"a", b"b"]),
        "how deep": ([[[]]], [[[[]]]]),
        "tuple within": ([(1,)], [[1]]),
        "how often": ([0] * 15, [0] * 16),
        "a long list, its tuple": (LONG, tuple(LONG)),
        "a long list, one more": (LONG, [*LONG, 0]),
        "True or 1 far within": ({"a": [{"b": (1, {"c": True})}]}, {"a": [{"b": (1, {"c": 1})}]}),
        "dict, OrderedDict": ({"a": 1}, Refused(OrderedDict(a=1))),
        "tuple, named tuple": ((1, 2), Refused(POINT(1, 2))),
        "list, deque": ([1], Refused(deque([1]))),
        "list, range": ([0, 1], Refused(range(2))),
        "list, array": ([0, 1], Refused(array("i", [0, 1]))),
        "text, path": ("a", Refused(Path("a"))),
    }


def different_times_and_numbers() -> Pairs:
    day, paris = datetime(2021, 10, 31, 2, 30), ZoneInfo("Europe/Paris")
    two = timezone(timedelta(hours=2))
    return {
        "a zone or none": (day, day.replace(tzinfo=timezone.utc)),
        "UTC, the zone UTC": (day.replace(tzinfo=timezone.utc), day.replace(tzinfo=ZoneInfo("UTC"))),
        "one instant in two zones": (day.replace(tzinfo=two), day.replace(hour=0, tzinfo=timezone.utc)),
        "a zone, its offset": (day.replace(tzinfo=paris), day.replace(tzinfo=two)),
        "an offset with a name": (
            day.replace(tzinfo=two),
            Refused(day.replace(tzinfo=timezone(timedelta(hours=2), "X"))),
        ),
        "fold": (day.replace(tzinfo=paris), day.replace(tzinfo=paris, fold=1)),
        "fold without zone": (day, day.replace(fold=1)),
        "microseconds": (day, day.replace(microsecond=1)),
        "date, datetime": (date(2020, 1, 1), datetime(2020, 1, 1)),
        "date, text": (date(2020, 1, 1), "2020-01-01"),
        "time, datetime": (day.time(), day),
        "fold of a time": (time(1), time(1, fold=1)),
        "zone of a time": (time(1), time(1, tzinfo=paris)),
        "timedelta, number": (timedelta(seconds=1), 1.0),
        "timedeltas": (timedelta(days=1), timedelta(days=1, microseconds=1)),
        "digits of a Decimal": (Decimal("1.0"), Decimal("1.00")),
        "exponent of a Decimal": (Decimal("100"), Decimal("1E+2")),
        "zeros of Decimal": (Decimal("0"), Decimal("-0")),
        "NaNs of Decimal": (Decimal("NaN"), Decimal("sNaN")),
        "Decimal, float": (Decimal("1"), 1.0),
        "Fraction, float": (Fraction(1, 2), 0.5),
        "Fraction, int": (Fraction(2), 2),
        "Fraction, tuple": (Fraction(1, 2), (1, 2)),
        "UUID, text": (UUID(int=5), str(UUID(int=5))),
        "UUID, bytes": (UUID(int=5), UUID(int=5).bytes),
    }


def different_files() -> Pairs:
    return {
        "content of files": (File(b"x", "a.txt"), File(b"y", "a.txt")),
        "names of files": (File(b"x", "a.txt"), File(b"x", "b.txt")),
        "a suffix": (File(b"x", "a.txt"), File(b"x", "a.csv")),
        "an empty file, no name": (File(b"", "a"), File(b"", "b")),
        "where name and content part": (File(b"bc", "a"), File(b"c", "ab")),
        "a file, its bytes": (File(b"x", "a.txt"), b"x"),
        "large files": (File(b"x" * 50_000, "a"), File(b"x" * 49_999 + b"y", "a")),
    }


def equal_scalars() -> Pairs:
    word, utc = "".join(["in", "terned"]), timezone(timedelta(0))
    return {
        "NaNs": (NAN, ODD_NAN),
        "NaNs in complex": (complex(NAN, 1), complex(ODD_NAN, 1)),
        "NaN that was computed": (NAN, float("inf") - float("inf")),
        "texts, interned or not": (sys.intern("interned"), word),
        "a text from bytes": ("é😀", b"\xc3\xa9\xf0\x9f\x98\x80".decode()),
        "computed ints": (2**64, 18446744073709551616),
        "computed huge ints": (7**4000, int(str(7**2000)) ** 2),
        "computed floats": (0.75, 3 / 4),
        "an int that is small again": (5, int("5" * 40) % 10),
        "bytes by parts": (b"ab" * 3, bytes(bytearray(b"ababab"))),
        "timedeltas by parts": (timedelta(days=1), timedelta(hours=24)),
        "datetimes by parts": (datetime(2020, 1, 1, 5), datetime.fromisoformat("2020-01-01T05:00:00")),
        "UTC by its offset": (datetime(2020, 1, 1, tzinfo=timezone.utc), datetime(2020, 1, 1, tzinfo=utc)),
        "Fractions": (Fraction(1, 2), Fraction("0.50")),
        "Decimals": (Decimal("1.50"), Decimal("1.25") + Decimal("0.25")),
        "UUIDs": (UUID(int=5), UUID(str(UUID(int=5)).upper())),
        "a file elsewhere": (File(b"x", "a.txt"), File(b"x", "a.txt", "other/place")),
        "a large file elsewhere": (File(b"x" * 50_000, "a"), File(b"x" * 50_000, "a", "other")),
    }


def equal_containers() -> Pairs:
    shared, big = [1], {"list": [1, (2,)], "set": {3}, "text": "x" * 20_000}
    numbers = range(0, 4000, 7)
    backwards = set()
    for number in reversed(numbers):
        backwards.add(number)
    shrunk = {1, 2, *range(500)}
    shrunk.difference_update(range(3, 500), [0])
    return {
        "NaNs within": ([NAN, {"a": (NAN,)}], [ODD_NAN, {"a": (ODD_NAN,)}]),
        "NaN in a set": ({NAN}, {ODD_NAN}),
        "NaN as key": ({NAN: 1}, {ODD_NAN: 1}),
        "order of insertion": ({"x", "ab", "k", 1, None}, {None, 1, "k", "ab", "x"}),
        "a large set": (set(numbers), backwards),
        "a set that had more": ({1, 2}, shrunk),
        "frozensets": (frozenset("hello"), frozenset("olleh")),
        "sets of tuples": ({(1, "a"), (2, "b")}, {(2, "b"), (1, "a")}),
        "shared or copied parts": ([shared, shared], [[1], [1]]),
        "copies": (big, copy.deepcopy(big)),
        "a copied dict": ({"a": 1, "b": 2}, dict(zip("ab", (1, 2), strict=True))),
        "a key that was overwritten": ({"a": 2, "b": 1}, {"a": 1, "b": 1} | {"a": 2}),
        "long lists": (LONG, [*LONG[:9], *LONG[9:]]),
    }


# ---------------------------------------------------------------- numpy


def different_arrays() -> Pairs:
    six, ones = np.arange(6, dtype="<i4"), np.ones(2)
    return {
        "array, list": (ones, [1.0, 1.0]),
        "dtypes of one width": (np.zeros(2, "<i4"), np.zeros(2, "<f4")),
        "signed or not": (np.zeros(2, "i1"), np.zeros(2, "u1")),
        "bool, uint8": (np.zeros(2, bool), np.zeros(2, "u1")),
        "float32, float64": (ones.astype("f4"), ones),
        "byte order": (six, six.astype(">i4")),
        "equal bytes in other order": (six, six.view(">i4")),
        "2×3, 3×2": (six.reshape(2, 3), six.reshape(3, 2)),
        "2×3, 6": (six.reshape(2, 3), six),
        "1×6, 6": (six.reshape(1, 6), six),
        "an array, its transpose": (six[:4].reshape(2, 2), six[:4].reshape(2, 2).T),
        "large arrays": (np.arange(9000.0), np.r_[np.arange(8999.0), 0]),
        "zeros": (np.array([0.0]), np.array([-0.0])),
        "bits of NaNs, which a view shows": (np.array([NAN]), np.array([0x7FF8000000000123], "u8").view("f8")),
        "no axes, scalar": (np.array(1.0), np.float64(1)),
        "no axes, number": (np.array(1.0), 1.0),
        "no axes, one": (np.array(1.0), np.array([1.0])),
        "numpy's float64, float": (np.float64(1), 1.0),
        "numpy's int64, int": (np.int64(1), 1),
        "numpy's bool, bool": (np.bool_(True), True),
        "numpy's text, text": (np.str_("a"), "a"),
        "numpy's bytes, bytes": (np.bytes_(b"a"), b"a"),
        "float32, float64 scalars": (np.float32(1), np.float64(1)),
        "int32, int64 scalars": (np.int32(1), np.int64(1)),
        "empty shapes": (np.zeros((0, 3)), np.zeros((3, 0))),
        "empty, one axis": (np.zeros((0, 3)), np.zeros(0)),
        "empty dtypes": (np.zeros(0, "f4"), np.zeros(0, "f8")),
    }


def different_dtypes() -> Pairs:
    with_padding = np.dtype({"names": ["a"], "formats": ["<i4"], "offsets": [4], "itemsize": 8})
    return {
        "names of fields": (np.zeros(1, [("a", "i4")]), np.zeros(1, [("b", "i4")])),
        "order of fields": (np.zeros(1, [("a", "i4"), ("b", "i4")]), np.zeros(1, [("b", "i4"), ("a", "i4")])),
        "offset of a field": (np.zeros(1, [("", "V4"), ("a", "<i4")])[["a"]], np.zeros(1, [("a", "<i4")])),
        "size of an element": (np.zeros(1, with_padding), np.zeros(1, [("a", "<i4")])),
        "title of a field": (np.zeros(1, [(("T", "a"), "i4")]), np.zeros(1, [("a", "i4")])),
        "fields, records": (np.zeros(1, [("a", "i4")]), np.zeros(1, np.dtype((np.record, [("a", "i4")])))),
        "fields within": (np.zeros(1, [("a", [("b", "i4")])]), np.zeros(1, [("a", "i4")])),
        "fields of several": (np.zeros(1, [("a", "i4", 2)]), np.zeros(1, [("a", "i4"), ("b", "i4")])),
        "no fields, bytes": (np.zeros(1, {"names": [], "formats": [], "itemsize": 8}), np.zeros(1, "V8")),
        "width of texts": (np.array(["a"], "U1"), np.array(["a"], "U2")),
        "texts, bytes": (np.array(["a"]), np.array([b"a"])),
        "where texts end in an array": (np.array(["ab", "c"]), np.array(["a", "bc"])),
        "units of time": (np.array(["2020-01-01"], "M8[D]"), np.array(["2020-01-01"], "M8[s]")),
        "units of one count": (np.array([5], "M8[s]"), np.array([5], "M8[ms]")),
        "datetime, timedelta": (np.array([5], "M8[s]"), np.array([5], "m8[s]")),
        "NaT, the least number": (np.array(["NaT"], "M8[s]"), np.array([-(2**63)])),
        "NaTs of two units": (np.datetime64("NaT", "s"), np.datetime64("NaT", "D")),
        "NaTs of two kinds": (np.datetime64("NaT", "s"), np.timedelta64("NaT", "s")),
        "masked or not": (np.array([1]), Refused(np.ma.array([1], mask=[False]))),
        "objects by type": (Refused(np.array([1], object)), Refused(np.array([1.0], object))),
        "numbers as text": (np.array([1]), np.array(["1"])),
        "numbers that are no characters": (np.array(["a"]), Refused(np.array([2**31 - 1], "u4").view("U1"))),
        "fields within a number": (
            np.zeros(1, [("a", "i2"), ("b", "i2")]),
            Refused(np.zeros(1, np.dtype((np.int32, {"a": ("i2", 0), "b": ("i2", 2)})))),
        ),
    }


def equal_arrays() -> Pairs:
    grid, line = np.arange(12.0).reshape(3, 4), np.arange(30)
    locked = np.arange(5)
    locked.flags.writeable = False
    padded = np.dtype([("a", "i1"), ("b", "f8")], align=True)
    dirty = np.frombuffer(b"\xff" * 32, padded).copy()
    clean = np.zeros(2, padded)
    for each in (dirty, clean):
        each["a"], each["b"] = 1, 2.5
    return {
        "C order, Fortran order": (grid, np.asfortranarray(grid)),
        "transposed twice": (grid, np.ascontiguousarray(grid.T).T),
        "a slice, its copy": (line[3:20:4], line[3:20:4].copy()),
        "reversed strides": (line[::-1], np.array(line.tolist()[::-1])),
        "columns of a grid": (grid[:, 1:3], grid[:, 1:3].copy("F")),
        "broadcast or repeated": (np.broadcast_to(np.arange(3), (4, 3)), np.tile(np.arange(3), (4, 1))),
        "locked or not": (locked, locked.copy()),
        "in the middle of bytes": (np.frombuffer(b"x" + bytes(8), "<i4", offset=1), np.zeros(2, "<i4")),
        "large, sliced or copied": (np.arange(40_000.0)[::2], np.arange(0, 40_000, 2.0)),
        "what lies between fields": (dirty, clean),
        "fields, sliced": (clean[::-1], clean.copy()),
        "names of one dtype": (np.zeros(2, np.dtype("l")), np.zeros(2, f"<i{np.dtype('l').itemsize}")),
        "how true a bool is": (np.array([2, 0, 255], "u1").view(bool), np.array([True, False, True])),
        "how true a field is": (np.array([(7,)], [("a", "u1")]).view([("a", "?")]), np.array([(True,)], [("a", "?")])),
        "a scalar from an array": (np.arange(3.0)[1], np.float64(1)),
        "a scalar of other byte order": (np.array([1], ">i4")[0], np.array([1], "<i4")[0]),
        "arrays within": ({"a": [grid[:, ::2]]}, {"a": [grid[:, ::2].copy()]}),
        "empty, sliced or made": (grid[:0, 1:], np.zeros((0, 3))),
    }


# ---------------------------------------------------------------- both tables


def joined(*tables: Pairs) -> Pairs:
    """One table of several; each name stands for one pair."""
    names = [name for table in tables for name in table]
    assert len(names) == len(set(names)), sorted(name for name in names if names.count(name) > 1)
    return {name: pair for table in tables for name, pair in table.items()}


DIFFERENT = joined(
    different_scalars(),
    different_containers(),
    different_times_and_numbers(),
    different_files(),
    different_arrays(),
    different_dtypes(),
    library_pairs.different_images(),
    library_pairs.different_cells(),
    library_pairs.different_tables(),
    library_pairs.different_pandas_scalars(),
    library_pairs.different_tensors(),
)
"""A function could tell the two apart, so a result for one must never be taken for the other."""

EQUAL = joined(
    equal_scalars(),
    equal_containers(),
    equal_arrays(),
    library_pairs.equal_images(),
    library_pairs.equal_tables(),
    library_pairs.equal_tensors(),
)
"""No function has a reason to run again."""

VALUES: dict[str, Any] = {
    f"{name} ({side})": value for name, pair in joined(DIFFERENT, EQUAL).items() for side, value in enumerate(pair, 1)
}


def digest_of(store: Store, value: Any, folder: Path) -> Digest:
    return store.artifacts.stage_file(value.path(folder)).digest if isinstance(value, File) else identify(value)


def digests(folder: Path) -> dict[str, str]:
    """Of all that is not refused."""
    with Store(folder / "store") as store:
        return {
            name: digest_of(store, value, folder / "files").hex()
            for name, value in VALUES.items()
            if not isinstance(value, Refused)
        }


if __name__ == "__main__":
    with TemporaryDirectory() as room:
        print(json.dumps(digests(Path(room))))
