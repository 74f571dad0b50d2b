"""How long does it take to show an earlier result on a sheet of a thousand nodes?

Three shapes, each on a store on disk, with five results in every node's history. The first node is selected, which
moves all that is below; one of the middle; and the last, which moves all that is above. Beside them, in the same run,
the floor: plain LMDB gets of the same records. All is processor time.

python benchmarks/keys_select.py [--full]
"""

from __future__ import annotations

import itertools
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from keys_freshness import ROUNDS, SHAPES, Desk, desk, floor, milliseconds

BUDGET = 50.0
"""Milliseconds for a selection on a sheet of a thousand nodes, at most."""


def selection(made: Desk, node: str) -> Callable[[], object]:
    """One result of a node after the other is selected; the others follow."""
    number = itertools.count()

    def select() -> None:
        index = next(number) % ROUNDS + 1
        restored = made.sheets.select(made.sheet, node, index)
        assert not restored.missing

    select()
    return select


def measure(shape: str, nodes: int, times: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder, desk(Path(folder) / "store", shape, nodes) as made:
        names = list(made.program.drawing.nodes)
        asked = {"first": names[0], "middle": names[nodes // 2], "last": names[-1]}
        figures = {f"select the {place}": milliseconds(selection(made, name), times) for place, name in asked.items()}
        state = made.sheets.state(made.sheet)
        assert {(one.index, one.total) for one in state.results.values()} == {((times + 1) % ROUNDS or ROUNDS, ROUNDS)}
        figures["LMDB gets (floor)"] = milliseconds(floor(Path(folder) / "floor", made), times)
        return figures


def main() -> int:
    nodes, times = (1000, 31) if "--full" in sys.argv else (1000, 7)
    missed = False
    for shape in SHAPES:
        figures = measure(shape, nodes, times)
        for name, figure in figures.items():
            print(f"{shape:<10} {name:<18} {figure:8.2f} ms   {figure / figures['LMDB gets (floor)']:8.1f} × floor")
        missed = missed or max(figures.values()) > BUDGET
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
