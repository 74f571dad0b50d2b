"""Canonical bytes: injective, typed, reversible, and safe to read when damaged."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from typing import Any, NamedTuple

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from daggr.digest import MAX_DEPTH, UnencodableError, decode, digest, encode
from daggr.errors import ArtifactCorruptError
from tests.properties.values import ALIKE, VALUES, same


@given(VALUES)
@example({10**5000: "a key with more digits than Python prints"})
def test_decoding_gives_back_an_equal_value_of_equal_types(value: Any) -> None:
    assert same(decode(encode(value)), value)


@given(VALUES)
def test_encoding_is_a_function_of_the_value_alone(value: Any) -> None:
    assert encode(decode(encode(value))) == encode(value)


@settings(max_examples=300)
@given(ALIKE, ALIKE)
@example(True, 1)
@example(1, 1.0)
@example(0.0, -0.0)
@example(["a", "b"], ["ab"])
@example([["a"], []], [["a", []]])
@example({"a": 1}, ["a", 1])
@example((1, 2), [1, 2])
@example({1}, {1.0})
@example(b"1", bytearray(b"1"))
def test_values_share_bytes_only_if_they_are_the_same(one: Any, other: Any) -> None:
    assert (encode(one) == encode(other)) == same(one, other)


@given(st.lists(st.binary(max_size=3), max_size=4), st.lists(st.binary(max_size=3), max_size=4))
@example([b"ab", b"c"], [b"a", b"bc"])
@example([b"a"], [b"a", b""])
def test_digests_see_where_one_part_ends_and_the_next_begins(one: list[bytes], other: list[bytes]) -> None:
    assert (digest("domain", *one) == digest("domain", *other)) == (one == other)
    assert digest("domain", *one) != digest("other domain", *one)


@given(st.dictionaries(st.text(max_size=3), st.integers(), min_size=2, max_size=5))
def test_the_order_of_a_dict_is_seen(value: dict[str, int]) -> None:
    turned = dict(reversed(value.items()))
    assert turned == value
    assert encode(turned) != encode(value)


@given(st.permutations(["a", "bb", 1, 2.5, b"x", ("t",), None]))
def test_the_order_in_which_a_set_was_filled_is_not_seen(members: list[Any]) -> None:
    filled: set[Any] = set()
    for member in members:
        filled.add(member)
    assert encode(filled) == encode({"a", "bb", 1, 2.5, b"x", ("t",), None})
    assert encode(frozenset(members)) == encode(frozenset(reversed(members)))


def test_bytes_do_not_depend_on_the_hash_seed() -> None:
    script = (
        "from daggr.digest import encode\n"
        "words = {f'word {n}' for n in range(50)}\n"
        "print(encode([words, frozenset(words), {frozenset({w}): w for w in sorted(words)}]).hex())"
    )
    printed = {
        subprocess.run(
            [sys.executable, "-c", script],
            env=os.environ | {"PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
        ).stdout
        for seed in ("0", "1", "4242")
    }
    assert len(printed) == 1
    assert len(printed.pop()) > 1000


# ---------------------------------------------------------------- what has no bytes


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth - 1):
        value = [value]
    return value


def test_nesting_is_limited_by_an_error_that_says_so() -> None:
    deepest = nested(MAX_DEPTH)
    assert decode(encode(deepest)) == deepest
    for depth in (MAX_DEPTH + 1, 100_000):
        with pytest.raises(UnencodableError, match=f"nested deeper than {MAX_DEPTH}"):
            encode(nested(depth))
    circle: list[Any] = []
    circle.append(circle)
    with pytest.raises(UnencodableError, match="nested deeper"):
        encode(circle)


@pytest.mark.parametrize(
    ("value", "path"),
    [
        (object(), "the value"),
        ([1, object()], r"\[1\]"),
        ({"a": [0, {"b": object()}]}, r"\['a'\]\[1\]\['b'\]"),
        ({("k", object()): 1}, r" key\[1\]"),
    ],
)
def test_a_value_without_canonical_bytes_is_named_by_the_path_to_it(value: Any, path: str) -> None:
    with pytest.raises(UnencodableError, match=rf"^{path} is a object, which has no canonical form") as caught:
        encode(value)
    assert caught.value.kind == "object"
    assert isinstance(caught.value, TypeError)


class Percent(int):
    pass


class Table(dict):  # type: ignore[type-arg]
    pass


@pytest.mark.parametrize("value", [Percent(3), Table(a=1), [Percent(3)], {Percent(3)}])
def test_a_subclass_is_never_taken_for_its_base(value: Any) -> None:
    with pytest.raises(UnencodableError, match=r"test_digest\.(Percent|Table)"):
        encode(value)


# ---------------------------------------------------------------- reading what is damaged


@settings(max_examples=300)
@given(st.binary(max_size=60))
@example(b"\xdd\xff\xff\xff\xff")
@example(b"\xdf\xff\xff\xff\xff")
@example(b"\x81\x90\x01")
@example(b"\xd6\xff\x00\x00\x00\x01")
def test_arbitrary_bytes_are_refused_as_corrupt(data: bytes) -> None:
    with pytest.raises(ArtifactCorruptError):
        decode(b"\xc1" + data)
    read_or_refuse(data)


def read_or_refuse(data: bytes) -> None:
    try:
        decode(data)
    except ArtifactCorruptError:
        return


@settings(max_examples=300)
@given(VALUES, st.data())
def test_damaged_bytes_raise_nothing_else_than_corrupt(value: Any, data: st.DataObject) -> None:
    whole = bytearray(encode(value))
    at = data.draw(st.integers(0, len(whole) - 1))
    cut = data.draw(st.sampled_from(["flip", "cut", "double", "drop"]))
    if cut == "flip":
        whole[at] ^= data.draw(st.integers(1, 255))
    elif cut == "cut":
        with pytest.raises(ArtifactCorruptError):
            decode(bytes(whole[:at]))
        return
    elif cut == "double":
        whole[at:at] = whole[at : at + 9]
    else:
        del whole[at]
    read_or_refuse(bytes(whole))


@given(VALUES, st.binary(min_size=1, max_size=9))
def test_bytes_after_the_end_are_refused(value: Any, more: bytes) -> None:
    with pytest.raises(ArtifactCorruptError):
        decode(encode(value) + more)


@pytest.mark.parametrize("tag", [b"\x91", b"\x81\x01"])
def test_endless_nesting_on_disk_is_refused_as_corrupt(tag: bytes) -> None:
    with pytest.raises(ArtifactCorruptError):
        decode(tag * 20_000 + encode(None))


def ext(code: int, content: bytes) -> bytes:
    return msgspec.msgpack.encode(msgspec.msgpack.Ext(code, content))


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"\xd0\x01", id="an int with a byte too many"),
        pytest.param(ext(1, b"\x05"), id="a small int as a big one"),
        pytest.param(b"\xca\x00\x00\x00\x00", id="a float of 32 bits"),
        pytest.param(b"\xcb" + bytes.fromhex("7ff8000000000001"), id="another NaN"),
        pytest.param(b"\xd9\x01a", id="a text with a longer head"),
        pytest.param(ext(2, b"a"), id="a text as an odd one"),
        pytest.param(b"\xdc\x00\x01\x01", id="an array with a longer head"),
        pytest.param(ext(5, b"\x92\x01\x01"), id="a set with one member twice"),
        pytest.param(ext(5, b"\x92\x02\x01"), id="a set out of order"),
        pytest.param(ext(4, b"\x01"), id="a tuple of no array"),
        pytest.param(b"\x82\x01\x02\x01\x02", id="a dict with one key twice"),
        pytest.param(b"\x81\x90\x01", id="a dict with a list as a key"),
        pytest.param(ext(7, bytes(12)), id="a complex number cut short"),
        pytest.param(ext(99, b""), id="an extension that nobody knows"),
        pytest.param(ext(-1, bytes(4)), id="a timestamp"),
    ],
)
def test_bytes_that_are_not_canonical_are_refused(data: bytes) -> None:
    with pytest.raises(ArtifactCorruptError):
        decode(data)


def test_lookalikes_all_differ() -> None:
    alike = [0, False, 0.0, -0.0, 0j, None, "", b"", bytearray(), [], (), {}, set(), frozenset(), "0", b"0", [0], (0,)]
    assert all(encode(one) != encode(other) for one, other in itertools.combinations(alike, 2))


# ---------------------------------------------------------------- values that codecs write


class Foreign(NamedTuple):
    """A value that `write` and `read` know: a codec's name and content."""

    name: str
    content: bytes


def write(value: Any) -> tuple[str, bytes]:
    if type(value) is Foreign:
        return value.name, value.content
    raise UnencodableError(value)


def read(name: str, content: memoryview) -> Foreign:
    return Foreign(name, bytes(content))


FOREIGN = st.builds(Foreign, st.text(max_size=3), st.binary(max_size=3))
MIXED = st.recursive(
    FOREIGN | ALIKE,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(FOREIGN | st.text(max_size=1), inner, max_size=2),
)


@given(MIXED)
def test_parts_of_other_types_come_back(value: Any) -> None:
    assert same(decode(encode(value, write), read), value)


@given(MIXED, MIXED)
@example(Foreign("ab", b"c"), Foreign("a", b"bc"))
@example(Foreign("", b""), ("", b""))
@example([Foreign("a", encode(1))], [1])
def test_parts_of_other_types_are_told_apart(one: Any, other: Any) -> None:
    assert (encode(one, write) == encode(other, write)) == same(one, other)


@given(MIXED, st.data())
def test_damaged_parts_raise_nothing_else_than_corrupt(value: Any, data: st.DataObject) -> None:
    whole = bytearray(encode(value, write))
    cut = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(ArtifactCorruptError):
        decode(bytes(whole[:cut]), read)
    whole[cut] ^= data.draw(st.integers(1, 255))
    try:
        again = decode(bytes(whole), read)
    except ArtifactCorruptError:
        return
    assert encode(again, write) == whole


def test_a_part_that_is_refused_is_named_by_the_path_to_it() -> None:
    with pytest.raises(UnencodableError, match=r"^\['a'\]\[1\] is a object"):
        encode({"a": [Foreign("", b""), object()]}, write)
    with pytest.raises(UnencodableError, match=r"^\['a'\]\[0\] is a tests.properties.test_digest.Foreign"):
        encode({"a": [Foreign("", b"")]})


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(ext(8, b""), id="nothing"),
        pytest.param(ext(8, b"\x91" + encode("")), id="a name alone"),
        pytest.param(ext(8, b"\x92" + encode(b"") + encode(b"")), id="a name that is no text"),
        pytest.param(ext(8, b"\x92" + encode("") + encode(bytearray())), id="a content that is no bytes"),
        pytest.param(ext(8, b"\x93" + encode("") + encode(b"") * 2), id="a part too many"),
        pytest.param(ext(8, b"\x92" + encode("") + encode(b"") + b"\x01"), id="something after the end"),
        pytest.param(b"\xc9\xff\xff\xff\xff\x08" + encode(""), id="a length without end"),
    ],
)
def test_what_no_codec_wrote_is_refused(data: bytes) -> None:
    for extend in (read, None):
        with pytest.raises(ArtifactCorruptError):
            decode(data, extend)


def test_parts_of_codecs_are_corrupt_to_who_knows_no_codecs() -> None:
    with pytest.raises(ArtifactCorruptError):
        decode(encode([Foreign("a", b"b")], write))
