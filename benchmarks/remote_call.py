"""What does a call of a GradioNode take beyond the app itself?

A real Gradio app on loopback has an endpoint that does next to nothing. Everybody calls it, one call after the other,
each with a new input: daggr through its engine (the input is stored, planned with, the answer recorded and loaded); a
bare keep-alive httpx client (a POST that begins the call, a GET that hears its end); gradio_client, one client that is
connected once; and daggr 0.8, in one session. They take turns, so that noise meets all alike.

python benchmarks/remote_call.py [--full]
"""

from __future__ import annotations

import sys

from peers.race import OURS, race, show
from peers.remote import BARE, CALLERS, CLIENT, app, held, times

LESS, MORE = 3.0, 1.5
"""How many times as fast as gradio_client it is at least; how many times as long as the bare calls it takes at most."""


def main() -> int:
    rounds, size = (25, 20) if "--full" in sys.argv else (9, 10)
    with app():
        rows = race("calls", size, rounds, list(CALLERS), contenders=CALLERS)
    show(rows, {"call": "a call"}, unit="ms", scale=1e3)
    missed = held("gradio_client / daggr", times(rows, "call", CLIENT, OURS), LESS, at_least=True)
    return missed | held("daggr / bare", times(rows, "call", OURS, BARE), MORE, at_least=False)


if __name__ == "__main__":
    sys.exit(main())
