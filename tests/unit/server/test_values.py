"""What stored values look like on cards and to API clients."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pytest
from PIL import Image

import daggr
from daggr.errors import ArtifactCorruptError, NodeFailedError, UnknownCodecError
from daggr.server.messages import ItemsValue, JsonValue, OpaqueValue, Value
from daggr.server.values import ITEM_LIMIT, ITEMS_SHOWN, SHOWN_LIMIT, Values, to_json
from daggr.store.artifacts import FileRef
from daggr.store.codecs import registry
from daggr.store.store import Store
from tests.unit.store.rooms import blob_files, keep


@pytest.fixture
def store(tmp_path: Path) -> Any:
    with Store(tmp_path / "store") as store:
        yield store


def show(store: Store, digest: bytes) -> Value:
    with store.read() as txn:
        return Values(store, "").show(txn, digest)


def plain(store: Store, digest: bytes) -> Any:
    with store.read() as txn:
        return Values(store, "").plain(txn, digest)


@pytest.mark.parametrize(
    ("value", "json"),
    [
        (np.arange(4).reshape(2, 2), [[0, 1], [2, 3]]),
        (np.array(3), 3),
        (np.float32(0.5), 0.5),
        (np.float64("nan"), None),
        (np.bool_(True), True),
        (np.str_("x"), "x"),
        (np.array([np.nan, np.inf]), [None, "inf"]),
        (np.array(["2020-01-01", "NaT"], "M8[D]"), ["2020-01-01", None]),
        (np.zeros(1, [("a", "i4"), ("b", "f4")]), [[0, 0.0]]),
        (pd.Series([1, None], dtype="Int64"), [1, None]),
        (pd.NaT, None),
        (pd.Timestamp("2020-01-02"), "2020-01-02 00:00:00"),
        ({"a": [np.ones(1)], "p": Image.new("L", (2, 3))}, {"a": [[1.0]], "p": "an image of 2 × 3 pixels (L)"}),
        (
            pd.DataFrame([[1, None], [2, pd.Timestamp("2020")]], columns=["a", "a"]),
            {"headers": ["a", "a"], "data": [[1, None], [2, "2020-01-01 00:00:00"]], "metadata": None},
        ),
    ],
)
def test_values_of_other_libraries_as_json(store: Store, value: Any, json: Any) -> None:
    assert to_json(value) == json
    assert msgspec.json.decode(msgspec.json.encode(to_json(value))) == json
    digest = keep(store, value)
    assert show(store, digest) == JsonValue(json)
    assert plain(store, digest) == json


def test_tensors_as_lists() -> None:
    torch = pytest.importorskip("torch")
    assert to_json(torch.ones(2, requires_grad=True)) == [1.0, 1.0]
    assert to_json({"a": torch.tensor([[1], [2]], dtype=torch.bfloat16)}) == {"a": [[1.0], [2.0]]}


def test_a_picture_is_described_with_what_would_show_it(store: Store) -> None:
    digest = keep(store, Image.new("RGB", (64, 48)))
    shown = show(store, digest)
    assert shown == OpaqueValue("an image of 64 × 48 pixels (RGB); give the port a gr.Image() to see it")
    with pytest.raises(NodeFailedError, match="no JSON form"):
        plain(store, digest)


@pytest.mark.parametrize("value", [np.zeros(SHOWN_LIMIT), "x" * (SHOWN_LIMIT + 1), pd.Series(np.zeros(SHOWN_LIMIT))])
def test_what_is_too_large_is_only_described(store: Store, value: Any) -> None:
    digest = keep(store, value)
    shown = show(store, digest)
    assert isinstance(shown, OpaqueValue)
    assert "too large to show here" in shown.text
    assert plain(store, digest) == to_json(value)


class Point:
    pass


def test_a_value_whose_codec_is_not_here_says_so(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_kinds", "_by_kind", "_by_name"):
        monkeypatch.setattr(registry, name, {})
    daggr.codec(Point, name="point", encode=lambda point: b"p", decode=lambda data: Point())
    alone, inside = keep(store, Point()), keep(store, {"p": Point()})
    assert show(store, alone) == OpaqueValue("a Point")
    monkeypatch.setattr(registry, "_by_name", {})
    for digest in (alone, inside):
        shown = show(store, digest)
        assert isinstance(shown, OpaqueValue)
        assert "Register it with daggr.codec(Type, name='point'" in shown.text
        with pytest.raises(UnknownCodecError):
            plain(store, digest)


def damaged(store: Store) -> bytes:
    digest = keep(store, np.arange(30_000))
    (blob,) = blob_files(store)
    blob.chmod(0o600)
    data = bytearray(blob.read_bytes())
    data[20] ^= 1
    blob.write_bytes(data)
    return digest


def test_a_damaged_value_says_so_on_its_card(store: Store) -> None:
    shown = show(store, damaged(store))
    assert isinstance(shown, OpaqueValue)
    assert shown.text.startswith("damaged")


def test_a_damaged_value_is_an_error_for_api_clients(store: Store) -> None:
    with pytest.raises(ArtifactCorruptError):
        plain(store, damaged(store))


def test_a_file_within_a_value_is_a_url_of_the_same_user(store: Store, tmp_path: Path) -> None:
    picture = tmp_path / "a b.png"
    Image.new("RGB", (2, 2)).save(picture)
    staged = store.artifacts.stage_file(picture)
    store.put([staged])
    digest = keep(store, {"voice": FileRef(staged.digest), "list": [(FileRef(staged.digest), "a b.png")]})
    value = plain(store, digest)
    url = value["voice"]
    assert (url.startswith("/file/"), url.endswith("/a%20b.png")) == (True, True)
    assert value == {"voice": url, "list": [[url, "a b.png"]]}
    shown = show(store, digest)
    assert shown == JsonValue(value)
    assert Values(store, "").digest_of(url.split("/")[2]) == staged.digest
    assert Values(store, "somebody else").digest_of(url.split("/")[2]) is None


def test_of_a_list_of_items_the_first_are_shown_and_all_are_given(store: Store) -> None:
    digests = [keep(store, f"item {number}") for number in range(150)]
    digests[1] = bytes(32)
    staged = store.artifacts.stage_items(b"".join(digests))
    store.put([staged])
    shown = show(store, staged.digest)
    assert isinstance(shown, ItemsValue)
    assert (shown.total, len(shown.shown), shown.shown[:2]) == (150, ITEMS_SHOWN, [JsonValue("item 0"), None])
    assert plain(store, staged.digest) == [f"item {number}" if number != 1 else None for number in range(150)]


def test_a_large_item_is_only_described_in_its_list(store: Store) -> None:
    staged = store.artifacts.stage_items(keep(store, "x" * (ITEM_LIMIT + 1)) + keep(store, "y"))
    store.put([staged])
    shown = show(store, staged.digest)
    assert isinstance(shown, ItemsValue)
    assert isinstance(shown.shown[0], OpaqueValue)
    assert shown.shown[1] == JsonValue("y")
