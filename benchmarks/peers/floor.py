"""The least that must be done: the store's record of each node, one after the other; one read of LMDB for each node.

`full`: each record is durable before the next. `relaxed`: nothing waits for the disk.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import lmdb
from turns import Figures, replayed, seconds, serve
from work import step

from daggr.digest import digest
from daggr.store import runs
from daggr.store.environment import Durability
from daggr.store.records import Binding, Output, Run, new_id
from daggr.store.store import Store

WAY: Durability = "relaxed" if sys.argv[1:] == ["relaxed"] else "full"


def record(number: int, output: bytes) -> Run:
    key = digest("floor", number.to_bytes(8, "big"))
    return Run(
        id=new_id(), graph="floor", node="step", kind="fn", owner="local", scope="", fingerprint=bytes(32),
        key=key, lookup=key, inputs=(Binding("x", key, "edge", new_id(), "y"),), outputs=(Output("y", output),),
        status="done", started=time.time(), seconds=0.1,
    )  # fmt: skip


def chain(size: int, folder: Path) -> Figures:
    """Each value is known before the next is made, so no two can be written together."""
    with Store(folder / "store", WAY) as store:

        def write() -> int:
            x = 0
            for number in range(size):
                x = step(x)
                staged = store.artifacts.stage(x)
                run = record(number, staged.digest)
                store.write(lambda txn, run=run: runs.put(txn, run, {}), [staged])  # type: ignore[misc]
            return x

        first = seconds(write, size)
    return {"first": first, "replay": reads(size, folder / "floor")}


def reads(size: int, folder: Path) -> float:
    environment = lmdb.open(str(folder), map_size=2**30, sync=False)
    keys = [f"key {number}".encode() for number in range(size)]
    with environment.begin(write=True) as txn:
        for key in keys:
            txn.put(key, bytes(400))

    def read() -> int:
        with environment.begin() as txn:
            return sum(txn.get(key) is not None for key in keys)

    figure = replayed(read, size)
    environment.close()
    return figure


if __name__ == "__main__":
    serve({"chain": chain, "diamond": chain})
