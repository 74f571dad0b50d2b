"""Groups and their items, and what users edited: what is kept with what, and what is found how."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from daggr.errors import ArtifactMissingError
from daggr.store import items, pins, runs
from daggr.store.artifacts import FileRef, Staged
from daggr.store.fsck.check import check
from daggr.store.fsck.repair import repair
from daggr.store.gc.execute import collecting, execute_gc
from daggr.store.gc.plan import OF_A_GROUP, plan_gc
from daggr.store.gc.policy import Policy
from daggr.store.records import Binding, Output, Run, new_id
from daggr.store.store import Store
from daggr.store.tables import ARTIFACTS, ITEMS, RUNS
from tests.unit.store.rooms import has, keep
from tests.unit.store.test_filerefs import file
from tests.unit.store.test_fsck import broken_index, kinds, mended
from tests.unit.store.test_gc import found, gc, is_sound, large, later, record, sheet_with, show

ABSENT = bytes(32)
NONE = object()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "store") as opened:
        yield opened


def listed(store: Store, *values: Any) -> bytes:
    """A list of items that were put; `NONE` has no value."""
    digests = b"".join(ABSENT if value is NONE else keep(store, value) for value in values)
    staged = store.artifacts.stage_items(digests)
    store.put([staged])
    return staged.digest


def item(store: Store, value: Any, node: str = "each", **fields: Any) -> Run:
    """The run of an item."""
    return record(store, value, node, is_item=True, **fields)


def group(store: Store, *members: Run | None, node: str = "each", **fields: Any) -> Run:
    """The run of a group, put as the engine does: these are its items, None has failed."""
    digests = b"".join(ABSENT if one is None else one.outputs[0].digest for one in members)
    return grouped(store, digests, b"".join(items.NO_RUN if one is None else one.id for one in members), node, **fields)


def grouped(store: Store, digests: bytes, ids: bytes, node: str, **fields: Any) -> Run:
    staged = store.artifacts.stage_items(digests)
    run_id = new_id()
    plain: dict[str, Any] = {
        "id": run_id, "graph": "graph", "node": node, "kind": "fn", "owner": "local", "scope": "",
        "fingerprint": node.encode().ljust(32, b"f"), "key": run_id[::-1], "lookup": run_id, "inputs": (),
        "outputs": (Output("output", staged.digest),), "status": "done", "started": time.time(), "seconds": 1.0,
        "items": len(ids) // 16,
    }  # fmt: skip
    run = Run(**plain | fields)

    def act(txn: Any) -> None:
        runs.put(txn, run, {"fn": run.fingerprint})
        items.put(txn, run.id, ids)

    store.write(act, [staged])
    return run


def members_of(store: Store, run: Run) -> list[Run | None]:
    with store.read() as txn:
        ids = items.get(txn, run.id)
        return [runs.get(txn, ids[at : at + 16]) for at in range(0, len(ids), 16)]


def is_whole(store: Store, run: Run, *members: Run) -> bool:
    """Whether a group is there with everything that its items gave."""
    values = [store.load(member.outputs[0].digest) for member in members]
    return store.load(run.outputs[0].digest) == values and members_of(store, run) == list(members)


# ---------------------------------------------------------------- lists of items


def test_a_list_of_items_loads_as_the_list_of_their_values(store: Store, tmp_path: Path) -> None:
    voice = file(store, "hello")
    identity = listed(store, 1, {"voice": voice}, large("x"))
    first, second, third = store.load(identity, tmp_path / "mine")
    assert (first, Path(second["voice"]).read_text(), third) == (1, "hello", large("x"))
    with store.read() as txn:
        assert store.artifacts.items(txn, identity) == b"".join(store.artifacts.load_raw(txn, identity))
        assert store.artifacts.items(txn, keep(store, [1])) is None
        assert store.artifacts.items(txn, bytes(32)) is None


def test_an_item_without_value_is_named_by_its_index_or_left_out(store: Store) -> None:
    identity = listed(store, "a", NONE, "c")
    with pytest.raises(ArtifactMissingError, match="Item 1 has no value"):
        store.load(identity)
    with store.read() as txn:
        assert store.artifacts.load_items(txn, identity, None, skip_absent=True) == ["a", "c"]
        assert store.artifacts.load_raw(txn, identity)[1] is None
        with pytest.raises(ArtifactMissingError, match="no list of items"):
            store.artifacts.load_items(txn, keep(store, [1]), None)
    with pytest.raises(ArtifactMissingError, match="Item 0: "):
        store.load(_put(store, store.artifacts.stage_items(b"?" * 32)))


def test_an_empty_list_of_items_is_an_empty_list(store: Store) -> None:
    assert store.load(listed(store)) == []
    run = group(store)
    assert (run.items, members_of(store, run)) == (0, [])
    gc(store, keep_last=1)
    assert is_whole(store, run)


def test_digests_of_a_wrong_length_are_refused(store: Store) -> None:
    with pytest.raises(ValueError, match="32 bytes each"):
        store.artifacts.stage_items(b"x" * 33)
    with pytest.raises(ValueError, match="16 bytes each"):
        store.write(lambda txn: items.put(txn, new_id(), b"x" * 17))


def _put(store: Store, staged: Staged) -> bytes:
    store.put([staged])
    return staged.digest


def test_a_hundred_thousand_items_are_staged_and_looked_for_in_no_time(store: Store) -> None:
    digests = os.urandom(32 * 100_000)
    started = time.perf_counter()
    staged = store.artifacts.stage_items(digests)
    assert time.perf_counter() - started < 1.0  # 15 ms when nobody else is at it
    store.put([staged])
    with store.read() as txn:
        started = time.perf_counter()
        assert all(store.artifacts.has(txn, staged.digest) for _ in range(1000))
        assert time.perf_counter() - started < 1.0  # 16 µs each
        assert store.artifacts.items(txn, staged.digest) == digests


# ---------------------------------------------------------------- their runs


@pytest.mark.parametrize("count", [0, 1, 1023, 1024, 1025, 3000])
def test_any_part_of_the_runs_of_items_can_be_looked_at(store: Store, count: int) -> None:
    name, ids = new_id(), os.urandom(16 * count)
    neighbours = [bytes(15) + b"\x01", b"\xff" * 16]
    for one in neighbours:
        store.write(lambda txn, one=one: items.put(txn, one, b"n" * 16))  # type: ignore[misc]
    store.write(lambda txn: items.put(txn, name, ids))
    with store.read() as txn:
        for start in (0, 1, 1000, 1023, 1024, 1025, 2048, 2999, 3000, 9999):
            for end in (None, start, start + 1, 1024, 1025, 2050, 3000, 5000):
                expected = ids[16 * start : None if end is None else 16 * end]
                asked = None if end is None else max(0, end - start)
                assert items.get(txn, name, start, asked) == expected, (start, end)
    store.write(lambda txn: items.put(txn, name, ids[:16]))
    with store.read() as txn:
        assert items.get(txn, name) == ids[:16]
        assert [items.get(txn, one) for one in neighbours] == [b"n" * 16] * 2


# ---------------------------------------------------------------- gc


def test_a_kept_group_keeps_its_items_and_one_that_goes_takes_them_along(store: Store) -> None:
    old, both, new = (item(store, large(name)) for name in ("old", "both", "new"))
    gone = group(store, old, both, None)
    kept = group(store, both, new)
    plan, _ = gc(store, keep_last=1)
    assert found(store, gone, kept, old, both, new) == [False, True, False, True, True]
    assert plan.stay == {"among the last of a node": 1, OF_A_GROUP: 2}
    assert is_whole(store, kept, both, new)
    with store.read() as txn:
        assert (txn.count(ITEMS), txn.count(RUNS)) == (1, 3)
    assert is_sound(store)


def test_the_files_in_the_values_of_items_stay_as_well(store: Store) -> None:
    refs = [file(store, large(number), f"{number}.wav") for number in range(3)]
    made = [item(store, {"audio": ref}) for ref in refs]
    kept = group(store, *made[:2])
    gc(store, keep_last=1)
    assert [has(store, ref.digest) for ref in refs] == [True, True, False]
    assert [Path(value["audio"]).read_text() for value in store.load(kept.outputs[0].digest)] == [large(0), large(1)]
    assert is_sound(store)


def test_the_list_that_a_person_gave_stays_with_the_items_it_was_split_into(store: Store) -> None:
    held, loose = keep(store, [large("a"), large("b")]), keep(store, [large("c")])
    made = [item(store, n, inputs=(Binding("in", bytes([n]) * 32, "ui", whole=held),)) for n in range(2)]
    group(store, *made)
    gc(store, keep_last=1)
    assert [has(store, one) for one in (held, loose)] == [True, False]
    assert is_sound(store)


def test_a_group_is_the_last_result_of_its_node_and_its_items_are_none(store: Store) -> None:
    """Else with `--keep-last 1` the newest item would stay, and everything else go."""
    made = [item(store, number) for number in range(5)]
    first = group(store, *made)
    later_items = [item(store, number + 10) for number in range(5)]
    run = group(store, *later_items, id=made[0].id[:6] + bytes(10))  # begun before its items, as a group is
    gc(store, keep_last=2)
    assert found(store, first, run) == [True, True]
    gc(store, keep_last=1)
    assert found(store, first, run, *made, *later_items) == [True, False] + [True] * 5 + [False] * 5


def test_a_failed_group_keeps_what_did_not_fail_as_long_as_it_is_shown(store: Store) -> None:
    good = item(store, large("good"))
    bad = item(store, "", status="failed", outputs=())
    run = group(store, good, bad if bad.outputs else None, status="failed")
    sheet_with(store, run)
    item(store, "later")
    gc(store, keep_last=0)
    assert members_of(store, run) == [good, None]
    with store.read() as txn:
        assert store.artifacts.load_items(txn, run.outputs[0].digest, None, skip_absent=True) == [large("good")]
    assert is_sound(store)


def test_a_group_that_a_history_remembers_goes_without_its_items(store: Store) -> None:
    one, two = (item(store, large(name)) for name in ("one", "two"))
    old, new = group(store, one), group(store, two)
    sheet = sheet_with(store)
    for run in (old, new):
        sheet = show(store, sheet, run)
    store.write(lambda txn: pins.put(txn, new.id))
    for run in [group(store, item(store, n)) for n in range(200)]:  # beyond what undo leads back to
        sheet = show(store, sheet, run)
    gc(store, keep_last=1)
    with store.read() as txn:
        gone = runs.get(txn, old.id)
        assert gone is not None
        assert runs.is_evicted(txn, gone)
        assert items.get(txn, old.id) == b""
    assert found(store, one, new, two) == [False, True, True]
    assert is_sound(store)


def test_without_room_the_items_of_a_group_go_when_it_goes(store: Store) -> None:
    old = [item(store, large(f"old {n}"), started=time.time() - 9e6, seconds=1e6) for n in range(3)]
    gone = group(store, *old, started=time.time() - 9e6, seconds=0.001)
    new = [item(store, large(f"new {n}"), started=time.time() - 9e6, seconds=0.001) for n in range(3)]
    kept = group(store, *new)
    plan, _ = gc(store, max_size=0)
    assert found(store, gone, *old, kept, *new) == [False] * 4 + [True] * 4
    assert is_whole(store, kept, *new)
    assert plan.freed > 3 * len(large("old 0"))
    assert is_sound(store)


def test_there_is_room_for_a_group_means_room_for_its_items(store: Store) -> None:
    cheap = [item(store, large(n), started=time.time() - 9e6, seconds=0.001) for n in range(3)]
    dear = group(store, *cheap, seconds=1e9)
    record(store, large("something else"), "other", seconds=0.001, started=time.time() - 9e6)
    record(store, "the last", "other")
    item(store, "the last")
    used = plan_gc(store, Policy(), later()).used
    gc(store, max_size=used - 100)
    assert is_whole(store, dear, *cheap)


def test_who_refers_to_a_group_while_gc_is_at_work_keeps_its_items(store: Store) -> None:
    voice = file(store, large("voice"))
    made = [item(store, [large(n), voice]) for n in range(3)]
    old = group(store, *made)
    group(store, item(store, "new"))
    with collecting(store):
        plan = plan_gc(store, Policy(keep_last=1), later())
        assert {old.id, *(one.id for one in made)} <= set(plan.evict)
        store.write(lambda txn: pins.put(txn, old.id))
        execute_gc(store, plan)
    assert found(store, old, *made) == [True] * 4
    assert members_of(store, old) == made
    assert [Path(one[1]).read_text() for one in store.load(old.outputs[0].digest)] == [large("voice")] * 3
    assert is_sound(store)


@pytest.mark.parametrize("when", ["before", "between", "after"])
def test_a_group_that_is_put_while_gc_is_at_work_has_its_items(store: Store, when: str) -> None:
    made = [item(store, large(n)) for n in range(3)]
    item(store, "the last of the node")
    digests = [one.outputs[0].digest for one in made]
    runs_ids = [one.id for one in made]

    def put() -> Run:
        return grouped(store, b"".join(digests), b"".join(runs_ids), "other")

    with store.hold(), collecting(store):
        run = put() if when == "before" else None
        plan = plan_gc(store, Policy(keep_last=1), later())
        run = put() if when == "between" else run
        execute_gc(store, plan)
        run = put() if when == "after" else run
    for _ in range(3):
        store.attendance.beat()
    assert run is not None
    assert store.load(run.outputs[0].digest) == [large(n) for n in range(3)]
    assert members_of(store, run) == ([None] * 3 if when == "after" else made)
    assert is_sound(store)


def test_a_large_group_goes_quickly_and_holds_little(store: Store) -> None:
    ids = os.urandom(16 * 100_000)
    for number in range(3):
        grouped(store, os.urandom(32 * 100_000), ids, "each", items=100_000, uncached=f"{number}")
    started = time.perf_counter()
    plan, _ = gc(store, keep_last=1)
    assert time.perf_counter() - started < 20.0
    assert len(plan.evict) == 2
    with store.read() as txn:
        assert txn.count(ITEMS) == 98


# ---------------------------------------------------------------- edits


def edit(store: Store, value: Any, edited: Run) -> Run:
    keys: dict[str, Any] = {"key": edited.key, "lookup": edited.lookup}
    return record(store, value, edited.node, kind="edit", edits=edited.id, **keys)


def test_an_edit_is_never_found_by_its_keys(store: Store) -> None:
    run = record(store, "made")
    edited = edit(store, "edited", run)
    with store.read() as txn:
        assert list(runs.by_key(txn, run.key)) == list(runs.by_lookup(txn, run.lookup)) == [run]
        assert runs.get(txn, edited.id) == edited
        assert list(runs.by_node(txn, "graph", "node")) == [edited, run]
    assert is_sound(store)


def test_an_edit_takes_nobodys_place_and_a_shown_one_keeps_what_it_edits(store: Store) -> None:
    first, edited_one, last = (record(store, large(name)) for name in ("first", "edited", "last"))
    shown = edit(store, "by hand", edit(store, "by hand first", edited_one))
    edit(store, "nobody shows it", first)
    sheet_with(store, shown)
    gc(store, keep_last=1)
    assert found(store, first, edited_one, last) == [False, True, True]
    with store.read() as txn:
        assert [run.id for run in runs.by_node(txn, "graph", "node")][:2] == [shown.id, shown.edits]
    assert store.load(shown.outputs[0].digest) == "by hand"
    assert is_sound(store)


# ---------------------------------------------------------------- fsck


def test_an_item_that_is_lost_makes_the_group_a_miss_and_leaves_the_others(store: Store) -> None:
    made = [item(store, large(n)) for n in range(3)]
    run, other = group(store, *made), group(store, made[0], made[2])
    store.write(lambda txn: txn.delete(ARTIFACTS, made[1].outputs[0].digest))
    assert kinds(check(store, "quick")) == {"lost value"}
    assert mended(store).damage == []
    assert found(store, run, *made, other) == [False, True, False, True, True]


def test_item_runs_whose_group_is_gone_are_found_and_forgotten(store: Store) -> None:
    run = group(store, item(store, 1))
    store.write(lambda txn: runs.delete(txn, run))
    with store.read() as txn:
        assert txn.count(ITEMS) == 0
    store.write(lambda txn: items.put(txn, run.id, run.id))
    assert kinds(check(store, "quick")) == {"lost run"}
    assert mended(store).damage == []
    with store.read() as txn:
        assert txn.count(ITEMS) == 0


def test_items_that_nobody_kept_on_their_own_are_no_damage(store: Store) -> None:
    """What an item was given is a part of a list; what an uncached group gave may live in memory only."""
    volatile = grouped(store, b"v" * 32, items.NO_RUN, "each", uncached="not cached: holds a Thing")
    one = item(store, 1, given=(b"i" * 32,))
    kept = group(store, one)
    assert is_sound(store)
    gc(store, keep_last=2)
    assert is_sound(store)
    assert found(store, kept, one) == [True, True]
    with store.read() as txn:
        assert runs.get(txn, volatile.id) == volatile


def test_groups_survive_that_the_index_is_written_anew(store: Store) -> None:
    made = [item(store, [large(n), FileRef(file(store, str(n)).digest)]) for n in range(3)]
    run = group(store, *made)
    repair(store, broken_index(store))
    assert members_of(store, run) == made
    gc(store, keep_last=1)
    assert [Path(one[1]).read_text() for one in store.load(run.outputs[0].digest)] == ["0", "1", "2"]
    assert is_sound(store)
