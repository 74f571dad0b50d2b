"""Pins: marks that keep runs from gc."""

from __future__ import annotations

import time

from daggr.errors import StoreError
from daggr.store import references
from daggr.store.records import Pin
from daggr.store.tables import PINS, RUNS, Txn


def put(txn: Txn, run: bytes, label: str = "") -> None:
    """Pin a run. Its artifacts, and those it was given by people, stay.

    Raises:
        StoreError: there is no such run.
    """
    if txn.get(RUNS, run) is None:
        raise StoreError(f"There is no run {run.hex()} to pin.", "It may have been removed by `daggr gc`.")
    txn.put(PINS, run, Pin(label, time.time()))
    references.to_runs(txn, [run])


def get(txn: Txn, run: bytes) -> Pin | None:
    """The pin of a run."""
    return txn.get(PINS, run)


def delete(txn: Txn, run: bytes) -> bool:
    """Unpin a run; whether it was pinned."""
    return txn.delete(PINS, run)


def any_pins(txn: Txn) -> bool:
    """Whether anything is pinned."""
    return txn.count(PINS) > 0


def all_pins(txn: Txn) -> list[tuple[bytes, Pin]]:
    """Every pinned run, oldest run first."""
    return list(txn.scan(PINS))
