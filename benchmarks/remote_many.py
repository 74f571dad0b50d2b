"""What becomes of 500 calls of a GradioNode that are made at the same time?

Every answer must be that of its own call, and none may be cancelled or lost: else the benchmark ends with an error.
Beside it, in turns, 500 bare calls of one httpx client over its usual 100 connections (with 500, the app resets some);
daggr lets a number of calls go to one app at once, and the others wait for their turn.

python benchmarks/remote_many.py [--full]
"""

from __future__ import annotations

import sys

from peers.race import OURS, race, show
from peers.remote import BARE, CALLERS, app, held, times

CALLS = 500
MORE = 1.5
"""How many times as long as the bare calls they take at most."""


def main() -> int:
    with app():
        rows = race("many", CALLS, 7 if "--full" in sys.argv else 3, [OURS, BARE], contenders=CALLERS)
    show(rows, {"call": f"{CALLS} calls at once, each"}, unit="ms", scale=1e3)
    print(f"all {CALLS} right in each round, none cancelled")
    return held("daggr / bare", times(rows, "call", OURS, BARE), MORE, at_least=False)


if __name__ == "__main__":
    sys.exit(main())
