"""gradio_client at its best: one client, connected once."""

from __future__ import annotations

import itertools
import os
import time
from pathlib import Path

from gradio_client import Client
from turns import Figures, serve

NUMBERS = itertools.count()


def client() -> Client:
    return Client(os.environ["DAGGR_BENCH_APP"], verbose=False, token=False, analytics_enabled=False)


def calls(size: int, folder: Path) -> Figures:
    """One after the other."""
    made = client()
    made.predict("warm", api_name="/text")
    took = 0.0
    for _ in range(size):
        text = f"call {next(NUMBERS)}"
        start = time.perf_counter()
        said = made.predict(text, api_name="/text")
        took += time.perf_counter() - start
        assert said == text.upper(), said
    made.close()
    return {"call": took}


def many(size: int, folder: Path) -> Figures:
    """All at once, in the threads that it has."""
    made = client()
    made.predict("warm", api_name="/text")
    texts = [f"many {next(NUMBERS)}" for _ in range(size)]
    start = time.perf_counter()
    jobs = [made.submit(text, api_name="/text") for text in texts]
    said = [job.result() for job in jobs]
    took = time.perf_counter() - start
    made.close()
    assert said == [text.upper() for text in texts]
    return {"call": took}


if __name__ == "__main__":
    serve({"calls": calls, "many": many})
