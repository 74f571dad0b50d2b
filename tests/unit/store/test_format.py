"""docs/format.md tells enough: a reader written from that page alone sees what daggr sees."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import gradio as gr
import lmdb
import msgspec
import numpy as np
import pytest
import xxhash
from PIL import Image

from daggr import FnNode, Graph
from daggr.engine.engine import Engine
from daggr.graph.graph import drawing_of
from daggr.store import runs, sheets
from daggr.store.codecs.registry import encode_value
from daggr.store.records import Output
from daggr.store.store import Store
from daggr.store.tables import SNAPSHOTS
from tests.unit.store import stranger
from tests.unit.store.rooms import keep
from tests.unit.store.stranger import Stranger
from tests.unit.store.test_filerefs import file
from tests.unit.store.test_gc import found, gc, is_sound, record, sheet_with
from tests.unit.store.test_items import group, item
from tests.unit.store.test_sheets import made

POINT = np.dtype([("x", "<f4"), ("y", ">i2", (2,))], align=True)
TEXT = "a large text 😀 " * 3000
VALUES: dict[str, Any] = {
    "none and bools": [None, True, False],
    "ints": [0, 1, -1, 127, 128, -32, -33, -128, -129, 255, 256, 10**60, -(10**60)],
    "ints at the edges": [2**63 - 1, 2**63, 2**64 - 1, 2**64, -(2**63), -(2**63) - 1, 2**71, -(2**71)],
    "floats": (0.0, -0.0, 1.5, 5e-324, float("inf"), float("nan"), complex(1, -2)),
    "texts": ["", "é😀\x00", "a" * 31, "a" * 32, "a" * 256, {"\udfff": 1}, "\ud800 alone"],
    "bytes": (b"", b"\x00\xff", bytearray(b"mine")),
    "keys": {None: 1, True: 2, 1.5: 3, b"4": 5, (): 6, frozenset({7}): 8, 10**30: 9},
    "nested": {"list": [1, (2, [3, {}])], 4: {"five": ()}, ("a", 1): [[[[]]]]},
    "sets": {1, "a", (2, 3), frozenset({b"b", None})},
    "arrays": {
        "plain": np.arange(6, dtype="<i4").reshape(2, 3),
        "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        "big-endian": np.arange(3, dtype=">u2"),
        "texts": np.array(["ab", "ü"]),
        "days": np.array(["2020-01-01", "NaT"], "M8[D]"),
        "fields": np.array([(1.5, (2, 3))], POINT),
        "no axes": np.array(5),
        "empty": np.zeros((0, 3)),
    },
    "large array": np.arange(5000.0),
    "records": np.zeros(2, np.dtype((np.record, [("a", "i4")]))),
    "numpy scalars": [np.float32(0.1), np.bool_(True), np.str_("ü"), np.bytes_(b"a\x00"), np.datetime64("2020", "Y")],
    "times": [
        datetime(2020, 1, 2, 3, 4, 5, 6, fold=1),
        datetime(2020, 1, 2, tzinfo=timezone(timedelta(hours=-2))),
        datetime(2020, 1, 2, tzinfo=timezone.utc),
        datetime(2020, 1, 2, tzinfo=ZoneInfo("Europe/Paris")),
        date(2020, 1, 2),
        time(1, 2, 3, 4),
        timedelta(-1, 5, 7),
    ],
    "numbers": [Decimal("-1.50"), Decimal("NaN"), Decimal("-Infinity"), Fraction(-1, 3), UUID(int=5)],
    "large text": TEXT,
    "just inline": b"x" * (16384 - 9),
    "just a blob": b"x" * (16384 - 8),
}
NODES = ("shout", "roll", "draw", "broken", "keep")


def graph() -> Graph:
    def shout(text: str, times: int) -> str:
        return text.upper() * times

    def roll(seed: float, text: str) -> float:
        return seed * len(text)

    def draw(text: str) -> Image.Image:
        return Image.new("RGB", (len(text), 3), "red")

    def broken(text: str) -> str:
        raise RuntimeError("no")

    def keep_it(value: Any) -> tuple[object, int]:
        return object(), 7

    loud = FnNode(shout, inputs={"text": gr.Textbox(value="hi 😀"), "times": 2}, outputs={"loud": None})
    others = [
        FnNode(roll, inputs={"seed": random.random, "text": loud.loud}, outputs={"rolled": None}),
        FnNode(draw, inputs={"text": loud.loud}, outputs={"picture": gr.Image()}),
        FnNode(broken, inputs={"text": loud.loud}, outputs={"nothing": None}),
        FnNode(keep_it, name="keep", inputs={"value": loud.loud}, outputs={"thing": None, "size": None}),
    ]
    return Graph("Format", nodes=[loud, *others], persist_key="format")


def plain(found: Any) -> Any:
    """A record, daggr's or the stranger's, without its types."""
    return msgspec.msgpack.decode(msgspec.msgpack.encode(found))


def content(value: Any) -> tuple[str, bytes]:
    encoded = encode_value(value)
    return encoded.codec, b"".join(encoded.chunks)


@dataclass
class Seen:
    """What daggr sees in a store, which then was closed."""

    folder: Path
    values: dict[str, bytes]
    runs: dict[str, list[Any]]
    sheet: Any
    snapshots: list[Any]
    histories: dict[str, list[Any]]


def used(store: Store) -> None:
    """A sheet that was edited and run three times; what a person's own token made; what was done by hand."""
    engine = Engine(store)
    program = engine.load(drawing_of(graph()))
    desk = engine.sheets(program, "local")
    sheet = desk.all()[0].id
    for text in ("hi 😀", "other", "hi 😀", "third"):
        desk.set_inputs(sheet, engine.stage_inputs(program, {"shout__text": text}))
        engine.start(program, "local", sheet, None, "all")[1].result(20)
    engine.close()
    mine = made(scope="ada", outputs=(Output("b", b"1" * 32), Output("a", b"2" * 32)), notes=("a note",))
    store.write(lambda txn: runs.put(txn, mine, {"leaf": b"1" * 32}))


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    folder = tmp_path_factory.mktemp("format") / "store"
    with Store(folder) as store:
        values = {name: keep(store, value) for name, value in VALUES.items()}
        used(store)
        with store.read() as txn:
            (sheet,) = sheets.of_owner(txn, "local", "format")
            snapshots = [sheets.snapshot(txn, sheet)]
            while snapshots[-1].parent:
                snapshots.append(txn.get(SNAPSHOTS, snapshots[-1].parent))
            by_node = {node: list(runs.by_node(txn, "format", node)) for node in NODES}
            histories = {node: list(sheets.history(txn, sheet.id, node)) for node in NODES}
    return Seen(folder, values, by_node, sheet, snapshots, histories)


@pytest.fixture(scope="module")
def reader(seen: Seen) -> Iterator[Stranger]:
    opened = Stranger(seen.folder)
    yield opened
    opened.close()


# ---------------------------------------------------------------- what is there


@pytest.mark.parametrize("name", VALUES)
def test_a_value_is_read_as_it_was_put(seen: Seen, reader: Stranger, name: str) -> None:
    digest = seen.values[name]
    artifact = reader.get("artifact", digest)
    assert (artifact.codec, reader.content(digest)) == content(VALUES[name])
    assert content(reader.value(digest)) == content(VALUES[name])
    assert (artifact.inline is None) == (artifact.size > 16384) == (artifact.blob is not None)


def test_a_file_is_read_with_its_name(seen: Seen, reader: Stranger, tmp_path: Path) -> None:
    with Store(shutil.copytree(seen.folder, tmp_path / "store")) as store:
        for run in seen.runs["draw"]:
            digest = run.outputs[0].digest
            path = Path(store.load(digest, tmp_path))
            assert (reader.get("artifact", digest).name, reader.value(digest)) == (path.name, path.read_bytes())


@pytest.mark.parametrize("node", NODES)
def test_the_runs_of_a_node_are_found_newest_first(seen: Seen, reader: Stranger, node: str) -> None:
    found = reader.by_node("format", node)
    assert plain(found) == plain(seen.runs[node])
    assert len(found) >= 3
    assert [run.id for run in found] == sorted((run.id for run in found), reverse=True)


def test_runs_are_found_by_their_keys_and_have_the_keys_of_their_inputs(seen: Seen, reader: Stranger) -> None:
    sources = set()
    for run in (run for node in NODES for run in reader.by_node("format", node)):
        assert stranger.keys_of(run) == (run.key, run.lookup)
        leaves = reader.get("definition", run.fingerprint).leaves
        assert stranger.digest_of_pairs("daggr/fingerprint", sorted(leaves.items())) == run.fingerprint
        assert (run in reader.by_key(run.key)) == (run.status == "done" and not run.uncached)
        assert (run in reader.by_key(run.lookup, table="by_lookup")) == (run.status == "done")
        for one in run.inputs:
            reader.value(one.digest)
        sources.update(one.source for one in run.inputs)
    assert sources == {"ui", "fixed", "sampled", "edge"}
    assert {run.status for run in reader.by_node("format", "broken")} == {"failed"}
    assert all(run.uncached for run in reader.by_node("format", "keep"))


def test_a_scope_has_runs_of_its_own(reader: Stranger) -> None:
    assert reader.by_key(b"k" * 16) == reader.by_key(b"k" * 16, "bob") == []
    (run,) = reader.by_key(b"k" * 16, "ada")
    assert (run.notes, stranger.digest_of_pairs("daggr/outputs", run.outputs)) == (["a note"], sheets.outputs_hash(run))


def test_a_sheet_is_found_with_its_snapshots_and_histories(seen: Seen, reader: Stranger) -> None:
    (sheet,) = reader.sheets("local", "format")
    assert plain(sheet) == plain(seen.sheet)
    assert reader.sheets("eve", "format") == []
    assert plain(reader.snapshots(sheet.snapshot)) == plain(seen.snapshots)
    assert len(seen.snapshots) > 1
    for node in NODES:
        assert plain(reader.history(sheet.id, node)) == plain(seen.histories[node])
        for entry in reader.history(sheet.id, node):
            run = reader.get("run", entry.run)
            assert (entry.key, entry.outputs) == (run.key, stranger.digest_of_pairs("daggr/outputs", run.outputs))
    assert len(seen.histories["shout"]) == 3
    shown = reader.get("run", reader.snapshots(sheet.snapshot)[0].heads["shout"].run)
    assert reader.value(shown.outputs[0].digest) == "THIRDTHIRD"


# ---------------------------------------------------------------- what does not count


def test_every_record_is_whole(reader: Stranger) -> None:
    found = {table: (len(list(reader.walk(table))), len(list(reader.records(table)))) for table in stranger.RECORDS}
    assert all(there == whole for there, whole in found.values())
    assert all(found[table][0] for table in ("artifact", "blob", "run", "definition", "sheet", "snapshot", "history"))


@pytest.mark.parametrize("table", ["artifact", "blob", "run", "definition", "sheet", "snapshot", "history"])
def test_a_record_with_a_flipped_bit_is_absent(seen: Seen, tmp_path: Path, table: str) -> None:
    folder = shutil.copytree(seen.folder, tmp_path / "store")
    with lmdb.open(str(folder / "meta"), max_dbs=32) as env:
        opened = env.open_db(table.encode(), create=False)
        with env.begin(write=True) as txn:
            key, value = random.choice(list(txn.cursor(opened)))
            bit = random.randrange(len(value) * 8)
            flipped = bytearray(value)
            flipped[bit // 8] ^= 1 << bit % 8
            txn.put(key, flipped, db=opened)
            txn.put(b"\xff" * len(key), value, db=opened)  # and under another key it means nothing
    reader = Stranger(folder)
    there = {key for key, _ in reader.walk(table)}
    assert {key for key, _ in reader.records(table)} == there - {key, b"\xff" * len(key)}
    assert reader.get(table, key) is None
    reader.close()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: path.write_bytes(path.read_bytes()[:-1] + b"?"),
        lambda path: path.write_bytes(path.read_bytes()[:-1]),
        Path.unlink,
    ],
)
def test_a_damaged_blob_is_a_miss(seen: Seen, tmp_path: Path, spoil: Callable[[Path], Any]) -> None:
    reader = Stranger(shutil.copytree(seen.folder, tmp_path / "store"))
    digest = seen.values["large text"]
    name = reader.get("artifact", digest).blob.hex()
    path = reader.folder / "blobs" / name[:2] / name
    path.chmod(0o600)
    spoil(path)
    assert reader.content(digest) is None
    with pytest.raises(KeyError):
        reader.value(digest)
    assert reader.value(seen.values["ints"]) == VALUES["ints"]
    reader.close()


def test_a_format_that_is_too_new_is_refused(seen: Seen, tmp_path: Path) -> None:
    folder = shutil.copytree(seen.folder, tmp_path / "store")
    (folder / "FORMAT").write_text(json.dumps({"format": 3, "min_reader": 2, "store_id": "?"}))
    with pytest.raises(ValueError, match="needs a reader of format 2"):
        Stranger(folder)


# ---------------------------------------------------------------- files within values, groups, records of old


def test_files_within_values_and_the_items_of_groups_are_read(tmp_path: Path) -> None:
    with Store(tmp_path / "store") as store:
        voice = file(store, "hello")
        digest = keep(store, {"voice": voice, "all": [voice, (1, voice)]})
        made = [item(store, number) for number in range(1500)]
        run = group(store, *made[:1400], None, *made[1400:])
        changed = record(store, "by hand", kind="edit", edits=run.id, variant="b")
    reader = Stranger(tmp_path / "store")
    named = voice.digest
    assert reader.value(digest) == {"voice": named, "all": [named, (1, named)]}
    assert (reader.get("artifact", digest).refs, reader.value(named)) == ([named], b"hello")
    assert reader.value(run.outputs[0].digest) == [*range(1400), None, *range(1400, 1500)]
    assert plain(reader.items(run.id)) == plain([*made[:1400], None, *made[1400:]])
    assert [len(chunk.runs) for _, chunk in reader.records("items", run.id)] == [16 * 1024, 16 * 477]
    assert plain(reader.by_node("graph", "each", "items")) == plain(made[::-1])
    assert plain(reader.by_node("graph", "each")) == plain([run])
    (edited,) = reader.by_node("graph", "node")
    assert (edited.edits, edited.variant, edited.items, reader.by_key(changed.key)) == (run.id, "b", -1, [])
    reader.close()


RUN_FIELDS, ARTIFACT_FIELDS = 19, 7
"""How many fields these records had before there were groups and files within values."""


def test_a_store_of_before_there_were_groups_opens_and_lives_on(tmp_path: Path) -> None:
    with Store(tmp_path / "store") as store:
        old, kept = record(store, "x" * 50_000), record(store, "kept")
        sheet = sheet_with(store, kept)
    with lmdb.open(str(tmp_path / "store" / "meta"), max_dbs=32) as env:
        with env.begin(write=True) as txn:
            txn.drop(env.open_db(b"items", txn, create=False))
        for table, fields in (("run", RUN_FIELDS), ("artifact", ARTIFACT_FIELDS)):
            opened = env.open_db(table.encode(), create=False)
            with env.begin(write=True) as txn:
                for key, value in list(txn.cursor(opened)):
                    body = msgspec.msgpack.encode(msgspec.msgpack.decode(value[8:])[:fields])
                    check = xxhash.xxh3_64_digest(len(key).to_bytes(4, "big") + key + body)
                    txn.put(key, check + body, db=opened)
    with Store(tmp_path / "store") as store:
        with store.read() as txn:
            again = runs.get(txn, old.id)
            assert again == old
            assert (again.items, again.variant, again.edits) == (-1, "", b"")
            assert sheets.snapshot(txn, sheet).heads["node"].run == kept.id
        assert (store.load(old.outputs[0].digest), found(store, old, kept)) == ("x" * 50_000, [True, True])
        assert is_sound(store)
        new = group(store, item(store, [file(store, "hello")]))
        record(store, "the last")
        gc(store, keep_last=1)
        assert found(store, old, kept, new) == [False, True, True]
        assert Path(store.load(new.outputs[0].digest)[0][0]).read_text() == "hello"
        assert is_sound(store)
