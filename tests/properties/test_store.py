"""A store against a model that is a dict: whatever is done to it, it has what was written and nothing else."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, precondition, rule

from daggr.filename import safe_name
from daggr.store.artifacts import INLINE_LIMIT
from daggr.store.store import Store
from daggr.store.tables import Txn
from tests.properties.values import VALUES, same

CONTENT = st.binary(max_size=40) | st.integers(0, 3).map(lambda n: bytes([n]) * (2 * INLINE_LIMIT))
STORES = st.integers(0, 1)


class Keeping(RuleBasedStateMachine):
    """Two stores on one folder, opened and closed in any order. Files that a write left behind would be seen."""

    kept = Bundle("kept")

    @initialize()
    def start(self) -> None:
        self.room = Path(tempfile.mkdtemp(prefix="daggr-keeping-"))
        self.stores: list[Store | None] = [Store(self.room / "store"), None]
        self.model: dict[bytes, Any] = {}
        self.large: set[bytes] = set()
        self.loads = 0

    def teardown(self) -> None:
        for store in self.stores:
            if store is not None:
                store.close()
        shutil.rmtree(self.room)

    def store(self, which: int) -> Store:
        """One of the open stores; if it is closed, the other."""
        return self.stores[which] or self.stores[1 - which] or self.open_one(which)

    def open_one(self, which: int) -> Store:
        store = self.stores[which] = Store(self.room / "store")
        return store

    def load(self, store: Store, identity: bytes) -> Any:
        self.loads += 1
        loaded = store.load(identity, self.room / "given" / str(self.loads))
        wanted = self.model[identity]
        return (Path(loaded).name, Path(loaded).read_bytes()) if wanted[:1] == ("file",) else loaded

    # ------------------------------------------------------------ rules

    @rule(which=STORES)
    def open_or_close(self, which: int) -> None:
        if (store := self.stores[which]) is None:
            self.open_one(which)
        else:
            store.close()
            self.stores[which] = None

    @rule(target=kept, which=STORES, value=VALUES | CONTENT, fails=st.booleans())
    def put_value(self, which: int, value: Any, fails: bool) -> bytes:
        store = self.store(which)
        staged = store.artifacts.stage(value)
        self.put(store, staged, ("value", value), fails)
        return staged.digest

    @rule(target=kept, which=STORES, content=CONTENT, name=st.sampled_from(["a.txt", "b.png"]), fails=st.booleans())
    def put_file(self, which: int, content: bytes, name: str, fails: bool) -> bytes:
        source = self.room / "source"
        source.write_bytes(content)
        store = self.store(which)
        staged = store.artifacts.stage_file(source, name)
        self.put(store, staged, ("file", name, content), fails)
        return staged.digest

    def put(self, store: Store, staged: Any, wanted: Any, fails: bool) -> None:
        def change(_: Txn) -> None:
            if fails:
                raise RuntimeError("in the middle of a write")

        try:
            store.write(change, [staged])
        except RuntimeError:
            return
        self.model[staged.digest] = wanted
        if staged.blob is not None:
            self.large.add(staged.blob.sha256)

    @rule(which=STORES, identity=kept)
    def look(self, which: int, identity: bytes) -> None:
        store = self.store(which)
        with store.read() as txn:
            assert store.artifacts.has(txn, identity) == (identity in self.model)
        if identity in self.model:
            kind, *wanted = self.model[identity]
            loaded = self.load(store, identity)
            assert loaded == tuple(wanted) if kind == "file" else same(loaded, wanted[0])

    @precondition(lambda self: self.model)
    @rule(which=STORES, identity=kept)
    def forget_the_file(self, which: int, identity: bytes) -> None:
        """Somebody removes a blob by hand: a miss, until the content is written again."""
        store = self.store(which)
        with store.read() as txn:
            found = store.artifacts.file(txn, identity)
        if found is None or identity not in self.model:
            return
        found.path.unlink(missing_ok=True)
        with store.read() as txn:
            assert not store.artifacts.has(txn, identity)
        (self.room / "source").write_bytes(self.model[identity][2])
        again = store.artifacts.stage_file(self.room / "source", self.model[identity][1])
        assert again.digest == identity
        self.put(store, again, self.model[identity], False)

    # ------------------------------------------------------------ always

    @invariant()
    def equal_content_is_one_blob_and_nothing_is_left_in_tmp(self) -> None:
        blobs = {path.name for path in (self.room / "store" / "blobs").rglob("*") if path.is_file()}
        assert {sha256.hex() for sha256 in self.large} <= blobs
        for room in (self.room / "store" / "tmp").iterdir():
            assert room.name.endswith(".lock") or list(room.iterdir()) == []


TestKeeping = Keeping.TestCase
TestKeeping.settings = settings(max_examples=25, stateful_step_count=15, deadline=None)


# ---------------------------------------------------------------- names of files


@settings(max_examples=200)
@given(st.text(st.characters(), max_size=300) | st.sampled_from(["..", ".", "/", "a/../../b", "c:\\x", ".txt", "…"]))
@example("a" * 119 + " b")
@example("a" * 119 + "." + "b" * 20)
def test_a_safe_name_is_one_part_of_a_path_and_stays_the_same(name: str) -> None:
    safe = safe_name(name)
    assert Path(safe).name == safe
    assert safe not in ("", ".", "..")
    assert 0 < len(safe) <= 120
    assert not set(safe) & set('<>:"/\\|?*\x00\n')
    assert safe_name(safe) == safe


@pytest.mark.parametrize("letter", ["a", "é", "播", "🎧"])
@pytest.mark.parametrize("extension", ["", ".wav"])
def test_a_file_can_be_made_under_a_safe_name_of_any_script(tmp_path: Path, letter: str, extension: str) -> None:
    made = tmp_path / safe_name(letter * 300 + extension)
    made.write_bytes(b"x")
    assert made.suffix == extension
