"""What refers to something has it: values their files, groups their items, edits what they edit, whatever gc does."""

from __future__ import annotations

import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, precondition, rule

from daggr.store import items, pins, runs
from daggr.store.artifacts import FilePath, FileRef, Staged
from daggr.store.fsck.check import check
from daggr.store.gc.execute import collecting, execute_gc
from daggr.store.gc.plan import GcPlan, plan_gc
from daggr.store.gc.policy import GRACE, Policy
from daggr.store.records import Output, Run, new_id
from daggr.store.store import Store
from daggr.store.tables import Txn

TEXTS = ("zero", "one" * 9000, "two" * 9000, "three")
FILES = st.sampled_from(range(len(TEXTS)))
LEAVES = st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.binary(max_size=3)


@dataclass(frozen=True)
class Named:
    """A file of the model, in the place of a reference to it or a path of it."""

    number: int


WITH_FILES: st.SearchStrategy[Any] = st.recursive(
    LEAVES | st.builds(Named, FILES),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(LEAVES | st.builds(Named, FILES), inner, max_size=4)
        | st.frozensets(LEAVES | st.builds(Named, FILES), max_size=3)
    ),
    max_leaves=12,
)


def mapped(value: Any, kind: type, by: Any) -> Any:
    """Written the plain way: a value with `by(part)` for each part of a kind."""
    if isinstance(value, kind):
        return by(value)
    if isinstance(value, dict):
        return {mapped(key, kind, by): mapped(part, kind, by) for key, part in value.items()}
    return (
        type(value)(mapped(part, kind, by) for part in value) if isinstance(value, (list, tuple, frozenset)) else value
    )


def numbers(value: Any) -> set[int]:
    """The files in a value of the model."""
    found: set[int] = set()
    mapped(value, Named, lambda named: found.add(named.number))
    return found


def given_back(value: Any) -> Any:
    """A loaded value as the model has it: each path is read."""
    return mapped(value, FilePath, lambda path: Named(TEXTS.index(Path(path).read_text())))


class Filed:
    """A store with the files of the model."""

    def __init__(self, room: Path) -> None:
        self.room = room
        self.store = Store(room / "store")

    def reference(self, number: int, staged: list[Staged]) -> FileRef:
        """A file, to be put along."""
        source = self.room / f"{number}.txt"
        source.write_text(TEXTS[number])
        staged.append(self.store.artifacts.stage_file(source))
        return FileRef(staged[-1].digest)

    def stage(self, value: Any) -> tuple[bytes, list[Staged]]:
        """A value of the model and the files that are in it."""
        staged: list[Staged] = []
        stored = mapped(value, Named, lambda named: self.reference(named.number, staged))
        whole = self.store.artifacts.stage(stored)
        return whole.digest, [whole, *staged]

    def open_again(self) -> None:
        self.store.close()
        self.store = Store(self.room / "store")


@settings(max_examples=40, deadline=None)
@given(st.lists(WITH_FILES, min_size=2, max_size=4), st.booleans())
def test_values_with_files_survive_put_load_gc_and_opening_again(values: list[Any], pinned: bool) -> None:
    with tempfile.TemporaryDirectory(prefix="daggr-files-") as room:
        filed = Filed(Path(room))
        digests = []
        for value in values:
            digest, staged = filed.stage(value)
            filed.store.put(staged)
            digests.append(digest)
            assert given_back(filed.store.load(digest)) == value
        kept = run_of(Output("out", digests[0]))
        filed.store.write(lambda txn: runs.put(txn, kept, {}))
        if pinned:
            filed.store.write(lambda txn: pins.put(txn, kept.id))
        with collecting(filed.store):
            execute_gc(filed.store, plan_gc(filed.store, Policy(keep_last=1), time.time() + 2 * GRACE))
        filed.open_again()
        given = filed.room / "given"
        assert given_back(filed.store.load(digests[0], given)) == values[0]
        blobs = [path for path in filed.store.blobs.folder.rglob("*") if path.is_file()]
        assert len(blobs) == len(numbers(values[0]))
        assert check(filed.store).findings == []
        filed.store.close()


def run_of(*outputs: Output, node: str = "node", **fields: Any) -> Run:
    name = new_id()
    plain: dict[str, Any] = {
        "id": name, "graph": "graph", "node": node, "kind": "fn", "owner": "local", "scope": "",
        "fingerprint": node.encode() * 8, "key": name, "lookup": name, "inputs": (), "outputs": outputs,
        "status": "done", "started": time.time(), "seconds": 0.01,
    }  # fmt: skip
    return Run(**plain | fields)


# ---------------------------------------------------------------- groups, edits, gc


@dataclass
class Known:
    """A run of the model: what it gave, the runs that it names, and whether it is pinned."""

    run: Run
    value: Any
    names: tuple[bytes | None, ...] = ()
    is_pinned: bool = False


class Referring(RuleBasedStateMachine):
    """Values with files, groups of items and edits; gc at any time, also with things done between plan and execution.

    Whatever is there, has all that it refers to.
    """

    made = Bundle("made")

    @initialize()
    def start(self) -> None:
        self.filed = Filed(Path(tempfile.mkdtemp(prefix="daggr-referring-")))
        self.known: dict[bytes, Known] = {}
        self.collection: Any = None
        self.plan: GcPlan | None = None

    def teardown(self) -> None:
        if self.collection is not None:
            self.collection.__exit__(None, None, None)
        self.filed.store.close()
        shutil.rmtree(self.filed.room)

    @property
    def store(self) -> Store:
        return self.filed.store

    def add(self, run: Run, value: Any, staged: list[Staged], names: tuple[bytes | None, ...] = ()) -> bytes:
        def act(txn: Txn) -> None:
            runs.put(txn, run, {})
            if run.items >= 0:
                items.put(txn, run.id, b"".join(name or items.NO_RUN for name in names))

        self.store.write(act, staged)
        self.known[run.id] = Known(run, value, names)
        return run.id

    # ------------------------------------------------------------ rules

    @rule(target=made, node=st.sampled_from("ab"), value=WITH_FILES, is_item=st.booleans())
    def single(self, node: str, value: Any, is_item: bool) -> bytes:
        digest, staged = self.filed.stage(value)
        return self.add(run_of(Output("out", digest), node=node, is_item=is_item), value, staged)

    @rule(target=made, node=st.sampled_from("ab"), members=st.lists(made | st.none(), max_size=4))
    def group(self, node: str, members: list[bytes | None]) -> bytes:
        members = [
            name if name in self.known and self.is_hit(name) and self.is_item(name) else None for name in members
        ]
        outputs = [self.known[name].run.outputs[0].digest if name else bytes(32) for name in members]
        staged = self.store.artifacts.stage_items(b"".join(outputs))
        run = run_of(Output("out", staged.digest), node=node, items=len(members))
        return self.add(run, None, [staged], tuple(members))

    def is_item(self, name: bytes) -> bool:
        """Whether it can be a member: executions of items are, and neither groups nor edits."""
        run = self.known[name].run
        return run.items < 0 and run.kind != "edit"

    @rule(target=made, edited=made, value=WITH_FILES)
    def edit(self, edited: bytes, value: Any) -> bytes:
        digest, staged = self.filed.stage(value)
        names = (edited,) if self.is_there(edited) else ()
        fields: dict[str, Any] = {"kind": "edit", "edits": edited} if names else {}
        return self.add(run_of(Output("out", digest), **fields), value, staged, names)

    @rule(name=made)
    def pin_or_unpin(self, name: bytes) -> None:
        if not self.is_there(name):
            return
        known = self.known[name]
        self.store.write(lambda txn: pins.delete(txn, name) if known.is_pinned else pins.put(txn, name))
        known.is_pinned = not known.is_pinned

    @precondition(lambda self: self.plan is None)
    @rule(last=st.integers(0, 2) | st.none(), size=st.just(0) | st.none())
    def plan_a_collection(self, last: int | None, size: int | None) -> None:
        self.collection = collecting(self.store)
        self.collection.__enter__()
        self.plan = plan_gc(self.store, Policy(keep_last=last, max_size=size, grace=0.0), time.time() + 1)

    @precondition(lambda self: self.plan is not None)
    @rule()
    def carry_it_out(self) -> None:
        assert self.plan is not None
        with self.store.hold():
            execute_gc(self.store, self.plan)
            self.collection.__exit__(None, None, None)
        self.collection = self.plan = None
        self.store.attendance.beat()
        self.store.attendance.beat()

    @precondition(lambda self: self.plan is None)
    @rule()
    def open_again(self) -> None:
        self.filed.open_again()

    # ------------------------------------------------------------ what the model says

    def is_there(self, name: bytes) -> bool:
        with self.store.read() as txn:
            return runs.get(txn, name) is not None

    def is_hit(self, name: bytes) -> bool:
        with self.store.read() as txn:
            return self.store.artifacts.has(txn, self.known[name].run.outputs[0].digest) and self.is_there(name)

    @invariant()
    def what_is_there_has_what_it_refers_to(self) -> None:
        for name, known in self.known.items():
            if not self.is_there(name):
                assert not known.is_pinned
                continue
            identity = known.run.outputs[0].digest
            if known.run.items < 0:
                assert given_back(self.store.load(identity)) == known.value
            else:  # what the members gave is looked at in their own place
                members = [self.known[member].run if member else None for member in known.names]
                with self.store.read() as txn:
                    digests = self.store.artifacts.items(txn, identity)
                    ids = items.get(txn, name)
                assert digests == b"".join(run.outputs[0].digest if run else bytes(32) for run in members)
                assert ids == b"".join(run.id if run else items.NO_RUN for run in members)
            if known.run.items >= 0 or known.is_pinned:
                assert all(self.is_there(member) for member in known.names if member)

    @invariant()
    def nothing_is_damaged_and_nothing_is_kept_for_nobody(self) -> None:
        if self.plan is None:
            assert check(self.store, "quick").damage == []


TestReferring = Referring.TestCase
TestReferring.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
