"""Undo, redo and duplicates: sheets against a model of states that never change."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, multiple, rule

from daggr.store import sheets
from daggr.store.records import Head, Run, Sheet
from daggr.store.store import Store
from tests.unit.store.test_gc import record
from tests.unit.store.test_sheets import made

DIGESTS = st.integers(0, 3).map(lambda n: bytes([n]) * 32)
INPUTS = st.dictionaries(st.sampled_from(["a__x", "a__y", "b__x"]), DIGESTS, max_size=2)
HEADS = st.dictionaries(st.sampled_from("ab"), st.integers(0, 3), max_size=2)
NAMES = st.sampled_from(["", "Sheet 1", "🎧", "x" * 300])


@dataclass(frozen=True)
class State:
    """What a sheet shows, and what undo leads to."""

    inputs: dict[str, bytes] = field(default_factory=dict)
    heads: dict[str, bytes] = field(default_factory=dict)
    before: State | None = None


@dataclass(frozen=True)
class Model:
    name: str
    owner: str
    now: State = State()
    undone: tuple[State, ...] = ()
    history: tuple[bytes, ...] = ()
    changes: int = 0

    def moved(self, **fields: object) -> Model:
        return replace(self, changes=self.changes + 1, **fields)  # type: ignore[arg-type]


class Undoing(RuleBasedStateMachine):
    """Any number of sheets, in any order: each is what its own model says, whatever is done to the others."""

    known = Bundle("known")

    @initialize()
    def start(self) -> None:
        self.store = Store(None)
        self.model: dict[bytes, Model] = {}
        self.runs = [made(node="ab"[n % 2], key=bytes([n]) * 16) for n in range(4)]

    def teardown(self) -> None:
        self.store.close()

    def sheet(self, name: bytes) -> Sheet:
        with self.store.read() as txn:
            found = sheets.get(txn, name)
        assert found is not None
        return found

    # ------------------------------------------------------------ rules

    @rule(target=known, name=NAMES, owner=st.sampled_from(["ada", "bob"]))
    def create(self, name: str, owner: str) -> bytes:
        sheet = self.store.write(lambda txn: sheets.create(txn, owner, "graph", name))
        self.model[sheet.id] = Model(name, owner)
        return sheet.id

    @rule(which=known, inputs=INPUTS, heads=HEADS, amend=st.booleans())
    def change(self, which: bytes, inputs: dict[str, bytes], heads: dict[str, int], amend: bool) -> None:
        shown = {node: self.runs[number].id for node, number in heads.items()}
        given = {node: Head(run, {}) for node, run in shown.items()}
        sheet, old = self.sheet(which), self.model[which]
        self.store.write(lambda txn: sheets.change(txn, sheet, inputs=inputs, heads=given, amend=amend))
        new = State(dict(inputs), shown, old.now.before if amend else old.now)
        self.model[which] = old.moved(now=new, undone=old.undone if amend else ())

    @rule(which=known)
    def undo(self, which: bytes) -> None:
        sheet, old = self.sheet(which), self.model[which]
        moved = self.store.write(lambda txn: sheets.undo(txn, sheet))
        assert (moved is None) == (old.now.before is None)
        if old.now.before is not None:
            self.model[which] = old.moved(now=old.now.before, undone=(*old.undone, old.now))

    @rule(which=known)
    def redo(self, which: bytes) -> None:
        sheet, old = self.sheet(which), self.model[which]
        moved = self.store.write(lambda txn: sheets.redo(txn, sheet))
        assert (moved is None) == (not old.undone)
        if old.undone:
            self.model[which] = old.moved(now=old.undone[-1], undone=old.undone[:-1])

    @rule(target=known, which=known, name=NAMES)
    def duplicate(self, which: bytes, name: str) -> bytes:
        sheet = self.sheet(which)
        copy = self.store.write(lambda txn: sheets.duplicate(txn, sheet, name))
        self.model[copy.id] = replace(self.model[which], name=name, changes=0)
        return copy.id

    @rule(which=known, name=NAMES)
    def rename(self, which: bytes, name: str) -> None:
        sheet = self.sheet(which)
        self.store.write(lambda txn: sheets.rename(txn, sheet, name))
        self.model[which] = self.model[which].moved(name=name)

    @rule(which=known, number=st.integers(0, 3))
    def remember(self, which: bytes, number: int) -> None:
        run = self.runs[number]
        self.store.write(lambda txn: sheets.remember(txn, which, run.node, run, {}))
        old = self.model[which]
        self.model[which] = replace(old, history=(*(one for one in old.history if one != run.id), run.id))

    @rule(target=known, which=consumes(known))
    def delete(self, which: bytes) -> object:
        sheet = self.sheet(which)
        self.store.write(lambda txn: sheets.delete(txn, sheet))
        del self.model[which]
        return multiple()

    # ------------------------------------------------------------ always

    @invariant()
    def each_sheet_is_what_its_own_model_says(self) -> None:
        with self.store.read() as txn:
            for name, model in self.model.items():
                sheet = sheets.get(txn, name)
                assert sheet is not None
                assert (sheet.name, sheet.owner, sheet.version) == (model.name, model.owner, model.changes)
                states, wanted = sheets.past(txn, sheet, 999), []
                at: State | None = model.now
                while at is not None:
                    wanted.append((at.inputs, at.heads))
                    at = at.before
                seen = [(one.inputs, {node: head.run for node, head in one.heads.items()}) for one in states]
                assert seen == wanted
                assert len(sheet.undone) == len(model.undone)
                history = {entry.run for node in "ab" for entry in sheets.history(txn, name, node)}
                assert history == set(model.history)

    @invariant()
    def each_owner_sees_the_own_sheets(self) -> None:
        with self.store.read() as txn:
            for owner in ("ada", "bob"):
                wanted = sorted(name for name, model in self.model.items() if model.owner == owner)
                assert [sheet.id for sheet in sheets.of_owner(txn, owner, "graph")] == wanted
                assert sheets.of_owner(txn, owner, "other graph") == []


TestUndoing = Undoing.TestCase
TestUndoing.settings = settings(max_examples=30, stateful_step_count=25, deadline=None)


def test_a_long_past_leads_back_to_the_beginning_and_forth_again(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        shown: list[Run] = [record(store, number) for number in range(60)]
        sheet = store.write(lambda txn: sheets.create(txn, "ada", "graph"))

        def step(sheet: Sheet, act: str) -> Sheet:
            moved = store.write(lambda txn: getattr(sheets, act)(txn, sheet))
            assert isinstance(moved, Sheet)
            return moved

        for run in shown:
            heads = {"node": Head(run.id, {})}
            sheet = store.write(lambda txn, at=sheet, heads=heads: sheets.change(txn, at, inputs={}, heads=heads))  # type: ignore[misc]
        for _ in shown:
            sheet = step(sheet, "undo")
        assert store.write(lambda txn: sheets.undo(txn, sheet)) is None
        with store.read() as txn:
            assert sheets.snapshot(txn, sheet).heads == {}
        for _ in shown:
            sheet = step(sheet, "redo")
        assert store.write(lambda txn: sheets.redo(txn, sheet)) is None
        with store.read() as txn:
            assert sheets.snapshot(txn, sheet).heads == {"node": Head(shown[-1].id, {})}
