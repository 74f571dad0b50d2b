"""A store against a model that is a dict: whatever is done to it, it has what was written and nothing else."""

from __future__ import annotations

import shutil
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, precondition, rule

from daggr.filename import safe_name
from daggr.store import pins, runs, sheets
from daggr.store.artifacts import INLINE_LIMIT
from daggr.store.fsck.check import check
from daggr.store.gc.execute import collecting, execute_gc
from daggr.store.gc.plan import plan_gc
from daggr.store.gc.policy import Policy
from daggr.store.records import Binding, Head, Output, Run, Sheet, new_id
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


# ---------------------------------------------------------------- runs, sheets, undo, gc, crashes


@dataclass
class Known:
    """What the model has of a run; `kept` until gc takes its result."""

    node: str
    run: Run
    value: Any
    given: tuple[bytes, ...]
    kept: bool = True


@dataclass(frozen=True)
class State:
    """What a sheet shows: an input and a run, and the state before."""

    given: bytes | None = None
    run: bytes | None = None
    before: State | None = None

    def past(self) -> list[State]:
        return [self, *(self.before.past() if self.before is not None else [])]


@dataclass
class Page:
    """A sheet of the model."""

    now: State = State()
    undone: tuple[State, ...] = ()
    history: dict[str, list[bytes]] = field(default_factory=dict)

    def states(self) -> list[State]:
        return [*self.now.past(), *self.undone]


class Living(RuleBasedStateMachine):
    """A store that is used as the engine uses it, collected at any time and left without a word.

    After a collection: what somebody can reach is there, what the policy names is gone, and nothing is damaged.
    """

    runs, sheets, values = Bundle("runs"), Bundle("sheets"), Bundle("values")

    @initialize()
    def start(self) -> None:
        self.room = Path(tempfile.mkdtemp(prefix="daggr-living-"))
        self.number = 0
        self.store = Store(self.room / "0")
        self.known: dict[bytes, Known] = {}
        self.pages: dict[bytes, Page] = {}
        self.loose: dict[bytes, Any] = {}
        self.pinned: set[bytes] = set()

    def teardown(self) -> None:
        self.store.close()
        shutil.rmtree(self.room)

    def change(self, which: bytes, state: State, amend: bool = False) -> None:
        heads = {} if state.run is None else {self.known[state.run].node: Head(state.run, {})}
        inputs = {} if state.given is None else {"in": state.given}

        def act(txn: Txn) -> None:
            sheet = sheets.get(txn, which)
            assert sheet is not None
            sheets.change(txn, sheet, inputs=inputs, heads=heads, amend=amend)
            if state.run is not None:
                run = self.known[state.run].run
                sheets.remember(txn, which, run.node, run, {})

        self.store.write(act)
        page = self.pages[which]
        page.now, page.undone = state, page.undone if amend else ()
        if state.run is not None:
            told = page.history.setdefault(self.known[state.run].node, [])
            if state.run not in told:
                told.append(state.run)

    # ------------------------------------------------------------ rules

    @rule(target=values, content=CONTENT)
    def upload(self, content: bytes) -> bytes:
        staged = self.store.artifacts.stage(content)
        self.store.put([staged])
        self.loose[staged.digest] = content
        return staged.digest

    @rule(target=runs, node=st.sampled_from("abc"), value=CONTENT, given=values | st.none(), good=st.integers(0, 4))
    def run(self, node: str, value: bytes, given: bytes | None, good: int) -> bytes:
        staged = self.store.artifacts.stage(value)
        inputs = (given,) if given is not None and self.has(given) else ()
        name = new_id()
        run = Run(
            name, "graph", node, "fn", "local", "", node.encode() * 32, name, name,
            tuple(Binding("in", digest, "ui") for digest in inputs), (Output("output", staged.digest),),
            "done", time.time(), 0.01 * good + 0.01,
        )  # fmt: skip
        self.store.write(lambda txn: runs.put(txn, run, {}), [staged])
        self.known[name] = Known(node, run, value, inputs)
        return name

    @rule(target=sheets)
    def new_sheet(self) -> bytes:
        sheet = self.store.write(lambda txn: sheets.create(txn, "local", "graph"))
        self.pages[sheet.id] = Page()
        return sheet.id

    @rule(target=sheets, which=sheets)
    def duplicate(self, which: bytes) -> bytes:
        page = self.page(which)
        copy = self.store.write(lambda txn: sheets.duplicate(txn, self.sheet(txn, which), "copy"))
        told = {node: list(entries) for node, entries in page.history.items()}
        self.pages[copy.id] = Page(page.now, page.undone, told)
        return copy.id

    @rule(which=consumes(sheets))
    def delete(self, which: bytes) -> None:
        self.store.write(lambda txn: sheets.delete(txn, self.sheet(txn, which)))
        del self.pages[which]

    @rule(which=sheets, run=runs)
    def show(self, which: bytes, run: bytes) -> None:
        page = self.page(which)
        if self.known[run].kept:
            self.change(which, State(page.now.given, run, page.now))

    @rule(which=sheets, run=runs)
    def finish(self, which: bytes, run: bytes) -> None:
        """A run ends and is shown in place of what is there, which is no step of its own."""
        page = self.page(which)
        if self.known[run].kept and not page.undone:
            self.change(which, State(page.now.given, run, page.now.before), amend=True)

    @rule(which=sheets, value=values)
    def set_input(self, which: bytes, value: bytes) -> None:
        page = self.page(which)
        if self.has(value):
            self.change(which, State(value, page.now.run, page.now))

    @rule(which=sheets)
    def undo(self, which: bytes) -> None:
        page = self.page(which)
        moved = self.store.write(lambda txn: sheets.undo(txn, self.sheet(txn, which)))
        assert (moved is None) == (page.now.before is None)
        if page.now.before is not None:
            page.now, page.undone = page.now.before, (*page.undone, page.now)

    @rule(which=sheets)
    def redo(self, which: bytes) -> None:
        page = self.page(which)
        moved = self.store.write(lambda txn: sheets.redo(txn, self.sheet(txn, which)))
        assert (moved is None) == (not page.undone)
        if page.undone:
            page.now, page.undone = page.undone[-1], page.undone[:-1]

    @rule(run=runs)
    def pin_or_unpin(self, run: bytes) -> None:
        if run in self.pinned:
            assert self.store.write(lambda txn: pins.delete(txn, run))
        elif self.known[run].kept:
            self.store.write(lambda txn: pins.put(txn, run))
        else:
            return
        self.pinned ^= {run}

    @rule(crash=st.booleans())
    def open_again(self, crash: bool) -> None:
        """Close it, or go on with what lies on the disk while it is still open, as after a crash."""
        self.number += 1
        if crash:
            shutil.copytree(self.store.root, self.room / str(self.number))
        self.store.close()
        if not crash:
            self.store.root.rename(self.room / str(self.number))
        self.store = Store(self.room / str(self.number))

    @rule(last=st.integers(0, 2) | st.none(), size=st.just(0) | st.none(), node=st.sampled_from("ab") | st.none())
    def collect(self, last: int | None, size: int | None, node: str | None) -> None:
        policy = Policy(keep_last=last, max_size=size, node=node, grace=0.0)
        must, may = self.rooted(1 if last is None else last, policy)
        with collecting(self.store):
            execute_gc(self.store, plan_gc(self.store, policy))
        with collecting(self.store):
            again = plan_gc(self.store, policy)
            assert again.is_empty, again
        for name, known in self.known.items():
            known.kept = known.kept and self.is_hit(name)
        kept = {name for name, known in self.known.items() if known.kept}
        assert must <= kept <= may
        reached = {
            digest for name in kept for digest in (*self.known[name].given, self.known[name].run.outputs[0].digest)
        }
        reached |= {state.given for page in self.pages.values() for state in page.states() if state.given is not None}
        self.loose = {name: value for name, value in self.loose.items() if name in reached}
        for known in self.known.values():
            assert self.has(digest := known.run.outputs[0].digest) == (digest in reached)
        blobs = {path.name for path in self.store.blobs.folder.rglob("*") if path.is_file()}
        assert len(blobs) <= len(reached)

    # ------------------------------------------------------------ what the model says

    def rooted(self, last: int, policy: Policy) -> tuple[set[bytes], set[bytes]]:
        """The runs that must stay, and those that may, of those whose results are there now."""
        hits = {name for name, known in self.known.items() if known.kept}
        shown = {state.run for page in self.pages.values() for state in page.states() if state.run is not None}
        told = {name for page in self.pages.values() for entries in page.history.values() for name in entries}
        newest: set[bytes] = set()
        for node in "abc":
            of_node = sorted((name for name in hits if self.known[name].node == node), reverse=True)
            newest |= set(of_node[:last])
        must = (self.pinned | shown) & hits
        for node in "abc":  # a result that went and is only remembered may count as one of the last
            of_node = sorted((n for n in hits | told if self.known[n].node == node), reverse=True)
            must |= set(of_node[:last]) & hits
        recent = {
            name
            for page in self.pages.values()
            for entries in page.history.values()
            for name in (entries[-last:] if last else [])
        }
        may = must | newest | (recent & hits)
        for name in hits:
            if not (policy.is_explicit or policy.max_size == 0) or (
                policy.node is not None and self.known[name].node != policy.node
            ):
                must, may = must | {name}, may | {name}
        return must, may

    def page(self, which: bytes) -> Page:
        return self.pages[which]

    def sheet(self, txn: Txn, which: bytes) -> Sheet:
        found = sheets.get(txn, which)
        assert found is not None
        return found

    def has(self, digest: bytes) -> bool:
        with self.store.read() as txn:
            return self.store.artifacts.has(txn, digest)

    def is_hit(self, name: bytes) -> bool:
        run = self.known[name].run
        with self.store.read() as txn:
            found = list(runs.by_key(txn, run.key))
            assert found in ([], [run])
            return bool(found) and self.store.artifacts.has(txn, run.outputs[0].digest)

    # ------------------------------------------------------------ always

    @invariant()
    def what_is_kept_is_found_and_right(self) -> None:
        for name, known in self.known.items():
            assert self.is_hit(name) == known.kept
            if known.kept:
                assert self.store.load(known.run.outputs[0].digest) == known.value
                assert all(self.has(digest) for digest in known.given)
        for digest, value in self.loose.items():
            assert self.store.load(digest) == value

    @invariant()
    def sheets_show_what_they_showed(self) -> None:
        with self.store.read() as txn:
            assert [sheet.id for sheet in sheets.of_owner(txn, "local", "graph")] == sorted(self.pages)
            for which, page in self.pages.items():
                past = sheets.past(txn, self.sheet(txn, which), 999)
                assert [set(state.inputs.values()) for state in past] == [
                    {state.given} - {None} for state in page.now.past()
                ]
                now = past[0]
                assert list(now.inputs.values()) == ([] if page.now.given is None else [page.now.given])
                assert [head.run for head in now.heads.values()] == ([] if page.now.run is None else [page.now.run])
                for node, entries in page.history.items():
                    assert [entry.run for entry in sheets.history(txn, which, node)] == entries
                    assert all(runs.get(txn, run) == self.known[run].run for run in entries)

    @invariant()
    def nothing_is_damaged(self) -> None:
        assert check(self.store, "quick").findings == []


TestLiving = Living.TestCase
TestLiving.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
