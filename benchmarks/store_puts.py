"""How many durable records a second, when several threads write at once?

The store commits together what waits together. Beside it, in the same run and with the same records: a transaction of
LMDB for each, SQLite that waits for the disk each time, and diskcache.

python benchmarks/store_puts.py [--full]
"""

from __future__ import annotations

import hashlib
import sqlite3
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import lmdb
import msgspec

from daggr.store import runs
from daggr.store.records import Binding, Output, Run, new_id
from daggr.store.store import Store

try:
    import diskcache
except ImportError:
    sys.exit("A peer is missing: pip install 'daggr[bench]'")

THREADS = (1, 8, 64)
BUDGET = 2.0
"""Times the rate of one transaction each, with the most threads, at least."""

Put = Callable[[Run], object]


def run_of(number: int) -> Run:
    """About 300 bytes as a record."""
    action = hashlib.md5(b"%d" % number).digest()
    given = Binding("x", hashlib.sha256(action).digest(), "edge", new_id(), "y")
    return Run(
        id=new_id(), graph="cats", node="describe", kind="fn", owner="local", scope="", fingerprint=bytes(32),
        key=action, lookup=action, inputs=(given,), outputs=(Output("y", hashlib.sha256(given.digest).digest()),),
        status="done", started=time.time(), seconds=0.1, log="described a cat",
    )  # fmt: skip


# ---------------------------------------------------------------- who writes


def daggr(folder: Path) -> Iterator[Put]:
    with Store(folder) as store:
        yield lambda run: store.write(lambda txn: runs.put(txn, run, {}))


def one_transaction_each(folder: Path) -> Iterator[Put]:
    """The record and the three keys under which it is found, as the store has them."""
    environment = lmdb.open(str(folder), map_size=2**32, max_dbs=4)
    names = (b"run", b"by_node", b"by_lookup", b"by_key")
    table, *indexes = (environment.open_db(name) for name in names)

    def put(run: Run) -> None:
        with environment.begin(write=True) as txn:
            txn.put(run.id, msgspec.msgpack.encode(run), db=table)
            for index, (_, key) in zip(indexes, runs.index_keys(run), strict=True):
                txn.put(key, b"", db=index)

    yield put
    environment.close()


def with_sqlite(folder: Path) -> Iterator[Put]:
    """A connection for each thread, write-ahead log, and a wait for the disk at each commit."""
    folder.mkdir()
    own = threading.local()

    def connection() -> sqlite3.Connection:
        if not hasattr(own, "connection"):
            own.connection = sqlite3.connect(folder / "runs.sqlite", timeout=60, isolation_level=None)
            own.connection.execute("PRAGMA journal_mode = wal")
            own.connection.execute("PRAGMA synchronous = full")
        return own.connection  # type: ignore[no-any-return]

    connection().execute("CREATE TABLE run (id BLOB PRIMARY KEY, record BLOB, node, lookup, key) WITHOUT ROWID")
    for column in ("node", "lookup", "key"):
        connection().execute(f"CREATE INDEX by_{column} ON run ({column})")

    def put(run: Run) -> None:
        row = (run.id, msgspec.msgpack.encode(run), *(key for _, key in runs.index_keys(run)))
        connection().execute("INSERT INTO run VALUES (?, ?, ?, ?, ?)", row)

    yield put


def with_diskcache(folder: Path) -> Iterator[Put]:
    """It does not wait for the disk, nor does it keep keys to find a run by."""
    with diskcache.Cache(str(folder), timeout=60) as cache:
        yield lambda run: cache.set(run.id, msgspec.msgpack.encode(run))


PEERS = {
    "daggr": daggr,
    "LMDB, a transaction each": one_transaction_each,
    "sqlite3, synchronous=FULL": with_sqlite,
    "diskcache (not durable)": with_diskcache,
}


# ---------------------------------------------------------------- measuring


def rate(put: Put, threads: int, seconds: float) -> float:
    """Records a second, by so many threads that each wait for theirs."""
    done = [0] * threads
    start, end = threading.Barrier(threads + 1), 0.0

    def work(mine: int) -> None:
        number = mine << 32
        start.wait()
        while time.perf_counter() < end:
            put(run_of(number))
            number += 1
            done[mine] += 1

    workers = [threading.Thread(target=work, args=[mine]) for mine in range(threads)]
    for worker in workers:
        worker.start()
    began = time.perf_counter()
    end = began + seconds
    start.wait()
    for worker in workers:
        worker.join()
    return sum(done) / (time.perf_counter() - began)


def main() -> int:
    seconds, rounds = (2.0, 7) if "--full" in sys.argv else (0.2, 3)
    figures: dict[tuple[str, int], float] = {}
    with tempfile.TemporaryDirectory() as folder:
        opened = {name: peer(Path(folder) / name) for name, peer in PEERS.items()}
        putters = {name: next(peer) for name, peer in opened.items()}
        for threads in THREADS:
            seen: dict[str, list[float]] = {name: [] for name in putters}
            for _ in range(rounds):
                for name, put in putters.items():
                    seen[name].append(rate(put, threads, seconds))
            figures |= {(name, threads): statistics.median(rates) for name, rates in seen.items()}
        for peer in opened.values():
            next(peer, None)
    print(f"{'durable records a second':<28}" + "".join(f"{threads:>8} threads" for threads in THREADS))
    for name in PEERS:
        print(f"{name:<28}" + "".join(f"{figures[name, threads]:16,.0f}" for threads in THREADS))
    ratio = figures["daggr", THREADS[-1]] / figures["LMDB, a transaction each", THREADS[-1]]
    print(f"{THREADS[-1]} threads: {ratio:.2f} × a transaction each")
    return 0 if ratio >= BUDGET else 1


if __name__ == "__main__":
    sys.exit(main())
