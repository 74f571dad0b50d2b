"""Files within values: kept with the value, and given back as paths that work."""

from __future__ import annotations

import copy
import json
import os
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from daggr.digest import UnencodableError
from daggr.errors import ArtifactCorruptError, ArtifactMissingError
from daggr.store import sheets
from daggr.store.artifacts import FilePath, FileRef, Staged, identify
from daggr.store.codecs.registry import decode_value, encode_value
from daggr.store.fsck.check import check
from daggr.store.gc import execute
from daggr.store.gc.execute import collecting, execute_gc
from daggr.store.gc.plan import plan_gc
from daggr.store.gc.policy import Policy
from daggr.store.store import Store
from daggr.store.tables import ARTIFACTS, CONDEMNED
from tests.unit.store.rooms import blob_files, has, keep
from tests.unit.store.test_fsck import mended
from tests.unit.store.test_gc import found, gc, is_sound, large, later, record, sheet_with, value


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "store") as opened:
        yield opened


def file(store: Store, text: str, name: str = "voice.wav") -> FileRef:
    source = store.root.parent / f"source-{name}"
    source.write_text(text)
    staged = store.artifacts.stage_file(source, name)
    store.put([staged])
    return FileRef(staged.digest)


def artifact(store: Store, identity: bytes) -> Any:
    with store.read() as txn:
        return txn.get(ARTIFACTS, identity)


# ---------------------------------------------------------------- values


def test_a_file_anywhere_in_a_value_comes_back_as_a_path_that_can_be_read(store: Store, tmp_path: Path) -> None:
    one, other = file(store, "one"), file(store, "other", "b.txt")
    given = {"voice": one, "all": [(1, other), {"deep": [one]}], "set": frozenset({one}), "text": "voice.wav", one: 1}
    identity = keep(store, given)
    assert artifact(store, identity).refs == (one.digest, other.digest)
    for folder in (None, tmp_path / "mine"):
        loaded = store.load(identity, folder)
        first, deep = loaded["voice"], loaded["all"][1]["deep"][0]
        assert (Path(first).name, Path(first).read_text()) == ("voice.wav", "one")
        assert (Path(loaded["all"][0][1]).name, Path(loaded["all"][0][1]).read_text()) == ("b.txt", "other")
        assert first == deep == next(iter(loaded["set"]))
        assert loaded[first] == 1
        assert (type(first), first.digest, loaded["text"]) == (FilePath, one.digest, "voice.wav")
    with store.read() as txn:
        assert store.artifacts.load_raw(txn, identity) == given


def test_a_reference_has_the_digest_of_its_file_and_values_differ_by_what_they_refer_to(store: Store) -> None:
    one, other = file(store, "one"), file(store, "other")
    assert identify(one) == one.digest == store.artifacts.stage(one).digest
    digests = {
        identify(v) for v in ([one], [other], [one, other], (one,), [one.digest], ["one"], [["file", one.digest]])
    }
    assert len(digests) == 7
    with store.read() as txn:
        assert store.artifacts.load_raw(txn, one.digest) == one
    store.put([store.artifacts.stage(one)])
    assert Path(store.load(one.digest)).read_text() == "one"


def test_a_value_without_files_is_not_changed_by_resolving_and_one_with_them_is_a_copy(store: Store) -> None:
    plain: list[Any] = [{"a": [1, (2,)]}]
    with_file: list[Any] = [{"a": 1}, {"b": file(store, "x")}]
    with store.read() as txn:
        assert store.artifacts.resolve(txn, plain) is plain
        resolved = store.artifacts.resolve(txn, with_file)
    assert type(with_file[1]["b"]) is FileRef
    assert resolved[0] is with_file[0]
    assert Path(resolved[1]["b"]).read_text() == "x"


def test_a_reference_crosses_to_another_process_as_bytes(store: Store) -> None:
    for given in (file(store, "x"), [file(store, "x"), 1]):
        encoded = encode_value(given)
        assert decode_value(encoded.codec, b"".join(encoded.chunks)) == given


def test_a_reference_where_nobody_would_look_for_it_is_refused(store: Store) -> None:
    with pytest.raises(UnencodableError, match="no file can be referred to"):
        store.artifacts.stage(pd.DataFrame({"a": [file(store, "x")]}))


def test_a_reference_to_something_else_or_to_nothing_is_an_error_that_says_so(store: Store) -> None:
    text, gone = keep(store, ["a text"]), identify("never put")
    for wrong, error in ((text, ArtifactCorruptError), (gone, ArtifactMissingError)):
        identity = keep(store, [FileRef(wrong)])
        with pytest.raises(error, match=wrong.hex()):
            store.load(identity)


# ---------------------------------------------------------------- the path that functions get


READINGS: dict[str, Callable[[Any], Any]] = {
    "str": str, "fspath": os.fspath, "Path": lambda path: str(Path(path)),
    "json": lambda path: json.loads(json.dumps(path)),
    "pickle": lambda path: pickle.loads(pickle.dumps(path)), "copy": copy.copy, "deepcopy": copy.deepcopy,
    "format": lambda path: f"{path}", "add": lambda path: path + "", "path": lambda path: path["path"],
    "get": lambda path: path.get("path"), "slice": lambda path: path[:], "join": lambda path: "".join([path]),
    "json key": lambda path: next(iter(json.loads(json.dumps({path: 1})))),
}  # fmt: skip


@pytest.mark.parametrize("how", READINGS)
def test_a_path_is_the_same_text_however_it_is_read(how: str) -> None:
    path = FilePath("/tmp/é voice.wav", b"d" * 32)
    read = READINGS[how](path)
    assert read == path == "/tmp/é voice.wav"
    assert hash(read) == hash(path)
    assert type(read) is str or read is path


def test_a_path_reads_like_a_dict_of_a_file_and_like_a_text() -> None:
    path = FilePath("/tmp/a.wav")
    assert (path["path"], path.get("path"), path.get("url"), path.get("size", 7)) == (
        "/tmp/a.wav",
        "/tmp/a.wav",
        None,
        7,
    )
    assert (path[0], path[-4:], len(path), "tmp" in path, path.split("/")[-1]) == ("/", ".wav", 10, True, "a.wav")
    assert isinstance(path, str)
    for wrong, error in (("url", KeyError), (99, IndexError)):
        with pytest.raises(error):
            path[wrong]


def test_a_path_that_a_value_still_holds_is_stored_as_a_text(store: Store) -> None:
    path = FilePath("/tmp/a.wav")
    for with_path, plain in ((path, str(path)), ([(path, {path: path})], [(str(path), {str(path): str(path)})])):
        assert identify(with_path) == identify(plain)
        identity = keep(store, with_path)
        assert artifact(store, identity).refs == ()
        assert store.load(identity) == plain
        assert type(store.load(identity)) is type(plain)
    held = file(store, "x")
    assert artifact(store, keep(store, [held, path])).refs == (held.digest,)


# ---------------------------------------------------------------- gc


def test_a_kept_value_keeps_its_files_and_one_that_goes_takes_them_along(store: Store) -> None:
    gone, kept, both = (file(store, large(name)) for name in ("gone", "kept", "both"))
    old = record(store, {"voice": gone, "both": both})
    new = record(store, [kept, both])
    gc(store, keep_last=1)
    assert found(store, old, new) == [False, True]
    assert [has(store, ref.digest) for ref in (gone, kept, both)] == [False, True, True]
    assert [Path(path).read_text() for path in value(store, new)] == [large("kept"), large("both")]
    assert len(blob_files(store)) == 2
    assert is_sound(store)


def test_the_input_of_a_sheet_keeps_its_files(store: Store) -> None:
    held, loose = file(store, large("held")), file(store, large("loose"))
    gallery = keep(store, [held])
    sheet = sheet_with(store)
    store.write(lambda txn: sheets.change(txn, sheet, inputs={"gallery": gallery}, heads={}))
    gc(store, keep_last=0)
    assert [has(store, one) for one in (gallery, held.digest, loose.digest)] == [True, True, False]
    assert Path(store.load(gallery)[0]).read_text() == large("held")


def test_a_new_value_keeps_an_old_file_that_it_refers_to(store: Store) -> None:
    """An hour later the file is nobody's but that of a value which was just put, and is in no run yet."""
    held = file(store, large("held"))
    record(store, [held])
    record(store, "another result")
    store.write(lambda txn: txn.put(ARTIFACTS, held.digest, _older(txn.get(ARTIFACTS, held.digest))))
    identity = keep(store, {"new": held})
    with collecting(store):
        execute_gc(store, plan_gc(store, Policy(keep_last=1)))
    assert Path(store.load(identity)["new"]).read_text() == large("held")


def _older(known: Any) -> Any:
    return type(known)(known.codec, known.size, known.inline, known.blob, known.name, known.put - 9e6)


Refer = Callable[[Store, Staged], Any]
REFERENCES: dict[str, Refer] = {
    "a run": lambda store, staged: record(store, "by a run", given=(staged.digest,)),
    "a sheet": lambda store, staged: _show(store, staged.digest),
    "another put": lambda store, staged: store.put([staged]),
    "a new value": lambda store, staged: keep(store, [*_raw(store, staged.digest), "new"]),
}


def _show(store: Store, identity: bytes) -> None:
    with store.read() as txn:
        (sheet,) = sheets.of_owner(txn, "local", "graph")
    store.write(lambda txn: sheets.change(txn, sheet, inputs={"in": identity}, heads={}))


def _raw(store: Store, identity: bytes) -> Any:
    with store.read() as txn:
        return store.artifacts.load_raw(txn, identity)


@pytest.mark.parametrize("when", ["before the plan", "after the plan", "after it was given up"])
@pytest.mark.parametrize("how", REFERENCES)
def test_who_refers_to_a_value_while_gc_is_at_work_keeps_its_files(store: Store, how: str, when: str) -> None:
    held = file(store, large("held"))
    sheet_with(store)
    staged = store.artifacts.stage([held])
    identity = keep(store, [held])
    record(store, "the last of the node", "other")
    with store.hold(), collecting(store):
        if when == "before the plan":
            REFERENCES[how](store, staged)
        plan = plan_gc(store, Policy(keep_last=1), later())
        if when == "after the plan":
            assert identity in list(plan.artifacts)
            REFERENCES[how](store, staged)
        execute_gc(store, plan)
        if when == "after it was given up":
            assert not has(store, identity)
            REFERENCES[how](store, staged)
    for _ in range(3):
        store.attendance.beat()
    assert has(store, held.digest)
    assert Path(store.load(held.digest)).read_text() == large("held")
    if how != "a new value":
        assert Path(store.load(identity)[0]).read_text() == large("held")
    assert is_sound(store)


@pytest.mark.parametrize("step", range(9))
def test_whatever_is_there_at_any_moment_of_gc_can_be_referred_to(
    store: Store, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    """What goes is given up one by one here; somebody who found a list of values with files before refers to it."""
    monkeypatch.setattr(execute, "TOGETHER", 1)
    refs = [file(store, large(number), f"{number}.wav") for number in range(3)]
    values = [keep(store, [ref]) for ref in refs]
    listed = store.artifacts.stage_items(b"".join(values))
    store.put([listed])
    record(store, "the last of the node")
    steps = 0

    def look(what: str, done: int, total: int) -> None:
        nonlocal steps
        assert check(store, "quick").damage == []
        assert all(has(store, one) for one in values) or not has(store, listed.digest)
        if what == "artifacts" and (steps := steps + 1) == step:
            record(store, "another", "other", given=(listed.digest,))

    with collecting(store):
        plan = plan_gc(store, Policy(keep_last=1), later())
        assert len(plan.artifacts) == 7
        if step == 0:
            record(store, "another", "other", given=(listed.digest,))
        execute_gc(store, plan, look)
    assert has(store, listed.digest) == (step <= 7)
    if step <= 7:
        assert [Path(one[0]).read_text() for one in store.load(listed.digest)] == [large(n) for n in range(3)]
    assert is_sound(store)


def test_what_goes_for_good_goes_before_what_it_refers_to(store: Store) -> None:
    """Else somebody who revives it would find a part of it gone."""
    ref = file(store, large("x"))
    value = keep(store, [ref])
    whole = store.artifacts.stage_items(value)
    store.put([whole])
    with store.hold():
        gc(store)
        with store.read() as txn:
            given_up = {key[9:]: int.from_bytes(key[:8], "big") for key in txn.keys(CONDEMNED)}
        assert given_up[whole.digest] < given_up[value] < given_up[ref.digest]


def test_what_was_given_up_together_is_revived_together_after_gc(store: Store) -> None:
    held = file(store, large("held"))
    identity = keep(store, [held])
    with store.hold():
        gc(store)
        assert [has(store, one) for one in (identity, held.digest)] == [False, False]
        record(store, 1, given=(identity,))
        assert [has(store, one) for one in (identity, held.digest)] == [True, True]
    for _ in range(3):
        store.attendance.beat()
    assert Path(store.load(identity)[0]).read_text() == large("held")


# ---------------------------------------------------------------- fsck


def test_a_value_whose_file_is_lost_is_found_and_becomes_a_miss(store: Store) -> None:
    lost, other = file(store, large("lost")), file(store, large("other"))
    broken, whole = record(store, [lost], "a"), record(store, [other], "b")
    blob = artifact(store, lost.digest).blob
    store.blobs.path(blob).unlink()
    assert check(store, "quick").damage
    assert mended(store).damage == []
    assert found(store, broken, whole) == [False, True]
    again = file(store, large("lost"))
    assert found(store, record(store, [again], "a")) == [True]


def test_a_reference_without_an_artifact_is_damage(store: Store) -> None:
    lost = file(store, "lost")
    run = record(store, [lost])
    assert check(store, "quick").findings == []
    store.write(lambda txn: txn.delete(ARTIFACTS, lost.digest))
    assert {finding.kind for finding in check(store, "quick").findings} == {"lost value"}
    assert mended(store).damage == []
    assert found(store, run) == [False]
