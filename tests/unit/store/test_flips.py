"""Single bits that flip, in the index and in blobs: never a wrong value, always told, always mended.

A process works through many flips; when LMDB takes it down (a flip can send it anywhere), the next one goes on behind
that flip. A pristine copy is put back before each.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from daggr.store import runs, sheets
from daggr.store.records import Head, Output, Run, new_id
from daggr.store.store import Store

RUNS = 150
LARGE_EVERY = 15
PROCESSES = 2

# What one process does. It prints a line before and after each flip, so that the other knows where it ended.
WORKER = r"""
import faulthandler, json, logging, shutil, sys
from pathlib import Path
from daggr.errors import ArtifactCorruptError, ArtifactMissingError, DaggrError, StoreError
from daggr.store import runs, sheets
from daggr.store.fsck.check import check
from daggr.store.fsck.repair import repair
from daggr.store.store import Store

pristine, room, kind = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
known = json.loads((pristine / "known.json").read_text())
looked_at = list(enumerate(known["runs"]))[:: LARGE_EVERY if kind == "blobs" else 1]
logged = []
handler = logging.Handler()
handler.emit = logged.append
logging.getLogger("daggr.store").addHandler(handler)
logging.getLogger("daggr.store").propagate = False


def value(number):
    return [number, "x" * number, "y" * (20_000 if number % LARGE_EVERY == 0 else 0)]


def restore(path, at):
    shutil.rmtree(room, ignore_errors=True)
    shutil.copytree(pristine / "store", room)
    target = room / path
    target.chmod(0o644)
    with open(target, "rb+") as file:
        file.seek(at // 8)
        old = file.read(1)[0]
        file.seek(at // 8)
        file.write(bytes([old ^ 1 << at % 8]))


def look(store, number, one, found):
    "Read one result in each way there is."
    try:
        with store.read() as txn:
            look_in(store, txn, number, one, found)
    except DaggrError:
        found["missed"] += 1


def look_in(store, txn, number, one, found):
    for by, way in (
        ("id", lambda: [runs.get(txn, bytes.fromhex(one["run"]))]),
        ("key", lambda: list(runs.by_key(txn, bytes.fromhex(one["key"])))),
        ("lookup", lambda: list(runs.by_lookup(txn, bytes.fromhex(one["key"])[::-1]))),
    ):
        try:
            hits = [run for run in way() if run is not None]
            if not hits:
                found["missed"] += 1
            for run in hits:
                if run.id.hex() != one["run"] or run.output("output") != bytes.fromhex(one["digest"]):
                    found["wrong"].append(f"run by {by} of {number}")
        except DaggrError:
            found["missed"] += 1
    digest = bytes.fromhex(one["digest"])
    try:
        if not store.artifacts.has(txn, digest):
            found["missed"] += 1
        if store.artifacts.load(txn, digest) != value(number):
            found["wrong"].append(f"value of {number}")
    except DaggrError:
        found["missed"] += 1


def look_at_sheet(store, found):
    wanted = known["sheet"]
    try:
        with store.read() as txn:
            seen = sheets.of_owner(txn, "local", "graph")
            if [sheet.id.hex() for sheet in seen] != [wanted["id"]]:
                found["missed"] += 1
            for sheet in seen:
                if sheet.id.hex() != wanted["id"]:
                    found["wrong"].append("sheet")
                state = sheets.snapshot(txn, sheet)
                heads = {node: head.run.hex() for node, head in state.heads.items()}
                if heads != wanted["heads"]:
                    found["missed" if not heads else "wrong"] += 1 if not heads else [f"heads {heads}"]
                history = [entry.run.hex() for entry in sheets.history(txn, sheet.id, "node")]
                if history != wanted["history"]:
                    found["missed"] += 1
                    if not set(history) <= set(wanted["history"]):
                        found["wrong"].append("history")
    except DaggrError:
        found["missed"] += 1


def flip(path, at):
    found = {"missed": 0, "wrong": [], "left": [], "damage": 0, "reports": 0, "refused": ""}
    logged.clear()
    restore(path, at)
    try:
        store = Store(room)
    except DaggrError as error:
        return found | {"refused": type(error).__name__}
    try:
        if kind == "blobs":
            damage = {depth: len(check(store, depth).damage) for depth in ("normal", "full")}
            if not all(damage.values()):
                found["left"].append(f"not found: {damage}")
        for number, one in looked_at:
            look(store, number, one, found)
        look_at_sheet(store, found)
        store.put([])
        report = check(store)
        found["damage"] = len(report.damage)
        found["reports"] = len(logged)
        for _ in range(3):
            if report.damage:
                repair(store, report)
                report = check(store)
        found["left"] += [str(finding) for finding in report.damage]
        again = store.artifacts.stage(["again", "z" * 20_000])
        store.put([again])
        if store.load(again.digest) != ["again", "z" * 20_000]:
            found["wrong"].append("again")
        after = {"missed": 0, "wrong": []}
        for number, one in looked_at:
            look(store, number, one, after)
        look_at_sheet(store, after)
        found["wrong"] += [f"after the repair: {what}" for what in after["wrong"]]
    finally:
        store.close()
    return found


for line in sys.stdin:
    path, at = json.loads(line)
    print(json.dumps(["begin", path, at]), flush=True)
    faulthandler.dump_traceback_later(20, exit=True)
    try:
        found = flip(path, at)
    except DaggrError as error:
        import traceback
        found = {"error": traceback.format_exc()[-1500:]}
    except BaseException as error:
        import traceback
        found = {"crash": traceback.format_exc()[-1500:]}
    faulthandler.cancel_dump_traceback_later()
    print(json.dumps(["end", path, at, found]), flush=True)
""".replace("LARGE_EVERY", str(LARGE_EVERY))


def value(number: int) -> list[Any]:
    return [number, "x" * number, "y" * (20_000 if number % LARGE_EVERY == 0 else 0)]


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with runs, small and large values and a sheet, and what is in it."""
    room = tmp_path_factory.mktemp("pristine")
    made = []
    with Store(room / "store") as store:
        for number in range(RUNS):
            staged = store.artifacts.stage(value(number))
            run = Run(
                new_id(), "graph", "node", "fn", "local", "", b"f" * 32, staged.digest[:16], staged.digest[15::-1],
                (), (Output("output", staged.digest),), "done", 0.0, 1.0,
            )  # fmt: skip
            store.write(lambda txn, run=run: runs.put(txn, run, {"fn": b"f" * 32}), [staged])  # type: ignore[misc]
            made.append(run)

        def fill(txn: Any) -> Any:
            sheet = sheets.create(txn, "local", "graph")
            for run in made[:20]:
                sheets.remember(txn, sheet.id, "node", run, {})
                sheet = sheets.change(txn, sheet, inputs={}, heads={"node": Head(run.id, {})})
            return sheet

        sheet = store.write(fill)
    known = {
        "runs": [{"run": r.id.hex(), "key": r.key.hex(), "digest": r.outputs[0].digest.hex()} for r in made],
        "sheet": {
            "id": sheet.id.hex(), "heads": {"node": made[19].id.hex()}, "history": [run.id.hex() for run in made[:20]]
        },
    }  # fmt: skip
    (room / "known.json").write_text(json.dumps(known))
    return room


Flip = tuple[str, int]


def flips_in(paths: list[Path], root: Path, count: int, seed: int) -> list[Flip]:
    """Bits all over the files, a few in each part: the same ones every time."""
    chance, size = random.Random(seed), sum(path.stat().st_size for path in paths) * 8
    places = [size * number // count + chance.randrange(size // count) for number in range(count)]
    found = []
    for path in paths:
        bits = path.stat().st_size * 8
        found += [(path.relative_to(root).as_posix(), place) for place in places if 0 <= place < bits]
        places = [place - bits for place in places]
    chance.shuffle(found)
    return found


def carry_out(pristine: Path, room: Path, kind: str, flips: list[Flip]) -> dict[Flip, dict[str, Any]]:
    """What came of each flip."""
    outcomes: dict[Flip, dict[str, Any]] = {}
    waiting = [flips[number::PROCESSES] for number in range(PROCESSES)]
    while any(waiting):
        started = []
        for number, part in enumerate(waiting):
            command = [sys.executable, "-c", WORKER, str(pristine), str(room / f"room{number}"), kind]
            process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
            )
            assert process.stdin is not None
            process.stdin.write("".join(f"{json.dumps(flip)}\n" for flip in part))
            process.stdin.flush()
            started.append(process)
        for number, process in enumerate(started):
            out, err = process.communicate()
            begun = None
            for line in out.splitlines():
                what, path, at, *found = json.loads(line)
                begun = (path, at) if what == "begin" else None
                if found:
                    outcomes[path, at] = found[0]
            if begun is not None:
                outcomes[begun] = {"hung" if process.returncode == 1 else "died": f"{process.returncode} {err[-800:]}"}
            waiting[number] = [flip for flip in waiting[number] if flip not in outcomes]
            assert begun is not None or not waiting[number], err
    return outcomes


def summed(outcomes: dict[Flip, dict[str, Any]]) -> Counter[str]:
    """How often what came of a flip, for people."""
    total: Counter[str] = Counter()
    for found in outcomes.values():
        for what in ("died", "hung", "refused", "crash", "error", "missed", "damage", "wrong", "left"):
            total[what] += bool(found.get(what))
    return total


def failures(outcomes: dict[Flip, dict[str, Any]]) -> dict[Flip, Any]:
    """The flips that were served, not told or not mended."""
    return {
        flip: found
        for flip, found in outcomes.items()
        if found.get("wrong")
        or found.get("left")
        or found.get("crash")
        or found.get("error")
        or found.get("hung")
        or (found.get("missed") and not found["damage"] and not found["reports"])  # moved aside when it was read
    }


def some(long: int, normal: int) -> list[Any]:
    return [pytest.param(normal, 1, id="some"), pytest.param(long, 2, id="all", marks=pytest.mark.long)]


@pytest.mark.parametrize(("count", "seed"), some(500, 120))
def test_a_flipped_bit_of_the_index_is_never_a_wrong_value(
    pristine: Path, tmp_path: Path, count: int, seed: int
) -> None:
    flips = flips_in([pristine / "store" / "meta" / "data.mdb"], pristine / "store", count, seed)
    outcomes = carry_out(pristine, tmp_path, "index", flips)
    bad, total = failures(outcomes), summed(outcomes)
    print(f"{len(outcomes)} flips of the index: {dict(total)}")
    assert not bad, f"{len(bad)} of {len(outcomes)} ({dict(total)}): {list(bad.items())[:3]}"
    assert total["damage"] > count / 20, "flips that touch nothing prove nothing"
    assert total["died"] <= count / 20


@pytest.mark.parametrize(("count", "seed"), some(500, 120))
def test_a_flipped_bit_of_a_blob_is_found_and_never_served(
    pristine: Path, tmp_path: Path, count: int, seed: int
) -> None:
    paths = sorted(path for path in (pristine / "store" / "blobs").rglob("*") if path.is_file())
    outcomes = carry_out(pristine, tmp_path, "blobs", flips_in(paths, pristine / "store", count, seed))
    assert len(outcomes) == count
    bad = failures(outcomes)
    assert not bad, f"{len(bad)} of {len(outcomes)}: {list(bad.items())[:3]}"
    assert all(found["missed"] and not found["refused"] for found in outcomes.values())
