"""How long does the store take from an action key to the decoded value?

One read transaction: the newest run of the key, whether its output is still there, and the value itself, decoded.
Beside it, in the same run: what other caches take for the same value, and the floor: the same gets in plain LMDB.

python benchmarks/store_lookup.py [--full]
"""

from __future__ import annotations

import hashlib
import logging
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import cache
from itertools import cycle
from pathlib import Path

import lmdb
import msgspec

from daggr.store import runs
from daggr.store.records import Artifact, Binding, Output, Run, new_id
from daggr.store.store import Store

try:
    import diskcache
    import joblib
except ImportError:
    sys.exit("The peers are missing: pip install 'daggr[bench]'")

BUDGET = 15.0
"""Microseconds, at most; and less than diskcache."""

Read = Callable[[int], object]


def value(number: int) -> dict[str, object]:
    return {"label": f"a cat, number {number}", "score": number / 7, "tags": ["indoor", "grey"], "width": 640}


@cache
def key(number: int) -> bytes:
    return hashlib.md5(b"%d" % number).digest()


def run_of(number: int, output: bytes) -> Run:
    given = Binding("x", hashlib.sha256(key(number)).digest(), "edge", new_id(), "y")
    return Run(
        id=new_id(), graph="cats", node="describe", kind="fn", owner="local", scope="", fingerprint=bytes(32),
        key=key(number), lookup=key(number), inputs=(given,), outputs=(Output("y", output),), status="done",
        started=time.time(), seconds=0.1,
    )  # fmt: skip


# ---------------------------------------------------------------- who is asked


def daggr(folder: Path, numbers: range) -> Iterator[Read]:
    with Store(folder, "relaxed") as store:
        staged = [store.artifacts.stage(value(number)) for number in numbers]
        made = [run_of(number, one.digest) for number, one in zip(numbers, staged, strict=True)]
        store.write(lambda txn: [runs.put(txn, run, {}) for run in made], staged)

        def read(number: int) -> object:
            with store.read() as txn:
                for run in runs.by_key(txn, key(number)):
                    digest = run.outputs[0].digest
                    if store.artifacts.has(txn, digest):
                        return store.artifacts.load(txn, digest)
            return None

        yield read


def with_diskcache(folder: Path, numbers: range) -> Iterator[Read]:
    with diskcache.Cache(str(folder)) as cache:
        with cache.transact():
            for number in numbers:
                cache.set(key(number), value(number))
        yield lambda number: cache.get(key(number))


def with_joblib(folder: Path, numbers: range) -> Iterator[Read]:
    """A function that is called again with an argument it knows. Its default prints; this does not."""
    logging.getLogger("joblib").setLevel(logging.ERROR)
    cached = joblib.Memory(str(folder), verbose=0).cache(value)
    for number in numbers:
        cached(number)
    yield cached


def with_sqlite(folder: Path, numbers: range) -> Iterator[Read]:
    folder.mkdir()
    connection = sqlite3.connect(folder / "cache.sqlite", isolation_level=None)
    connection.execute("PRAGMA journal_mode = wal")
    connection.execute("CREATE TABLE cache (key BLOB PRIMARY KEY, value BLOB) WITHOUT ROWID")
    rows = [(key(number), msgspec.msgpack.encode(value(number))) for number in numbers]
    connection.executemany("INSERT INTO cache VALUES (?, ?)", rows)

    def read(number: int) -> object:
        return msgspec.msgpack.decode(
            connection.execute("SELECT value FROM cache WHERE key = ?", (key(number),)).fetchone()[0]
        )

    yield read
    connection.close()


def floor(folder: Path, numbers: range) -> Iterator[Read]:
    """The same three gets and decodings without checksums, types of values, or anybody else's work in mind."""
    environment = lmdb.open(str(folder), map_size=2**30, max_dbs=3, sync=False)
    by_key, run_table, artifacts = (environment.open_db(name) for name in (b"by_key", b"run", b"artifact"))
    decode_run, decode_artifact = msgspec.msgpack.Decoder(Run).decode, msgspec.msgpack.Decoder(Artifact).decode
    with environment.begin(write=True) as txn:
        for number in numbers:
            content = msgspec.msgpack.encode(value(number))
            run = run_of(number, hashlib.sha256(content).digest())
            record = Artifact("value", len(content), content, None)
            txn.put(key(number), run.id, db=by_key)
            txn.put(run.id, msgspec.msgpack.encode(run), db=run_table)
            txn.put(run.outputs[0].digest, msgspec.msgpack.encode(record), db=artifacts)

    def read(number: int) -> object:
        with environment.begin() as txn:
            run = decode_run(txn.get(txn.get(key(number), db=by_key), db=run_table))
            found = decode_artifact(txn.get(run.outputs[0].digest, db=artifacts))
            return msgspec.msgpack.decode(found.inline or b"")

    yield read
    environment.close()


PEERS = {
    "daggr": daggr,
    "diskcache": with_diskcache,
    "joblib.Memory": with_joblib,
    "sqlite3 and msgpack": with_sqlite,
    "LMDB and msgpack (floor)": floor,
}


# ---------------------------------------------------------------- measuring


def microseconds(read: Read, numbers: list[int]) -> float:
    start = time.perf_counter()
    for number in numbers:
        read(number)
    return (time.perf_counter() - start) / len(numbers) * 1e6


def measure(readers: dict[str, Read], numbers: range, rounds: int) -> dict[str, float]:
    """The median of many short rounds; in each of them everybody has a turn, so that noise meets all alike."""
    asked = cycle(numbers[place * 7919 % len(numbers)] for place in range(len(numbers)))
    seen: dict[str, list[float]] = {name: [] for name in readers}
    for _ in range(rounds):
        batch = [next(asked) for _ in range(100)]
        for name, read in readers.items():
            seen[name].append(microseconds(read, batch))
    return {name: statistics.median(times) for name, times in seen.items()}


def main() -> int:
    numbers, rounds = (range(20_000), 400) if "--full" in sys.argv else (range(1000), 100)
    with tempfile.TemporaryDirectory() as folder:
        opened = {name: peer(Path(folder) / name, numbers) for name, peer in PEERS.items()}
        readers = {name: next(peer) for name, peer in opened.items()}
        for name, read in readers.items():
            assert all(read(number) == value(number) for number in numbers[:100]), name
        figures = measure(readers, numbers, rounds)
        for peer in opened.values():
            next(peer, None)
    for name, figure in figures.items():
        print(f"{name:<26} {figure:9.2f} µs a look-up   {figure / figures['daggr']:8.2f} × daggr")
    return 0 if figures["daggr"] <= min(BUDGET, figures["diskcache"]) else 1


if __name__ == "__main__":
    sys.exit(main())
