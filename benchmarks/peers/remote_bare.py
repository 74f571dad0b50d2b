"""What any client of a Gradio app must do: a POST begins the call, a GET waits for its end; connections are kept."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import time
from pathlib import Path

import httpx
from turns import Figures, serve

NUMBERS = itertools.count()
URL = os.environ.get("DAGGR_BENCH_APP", "")
CALL = f"{URL}/gradio_api/call/text"


def client() -> httpx.AsyncClient:
    """As many connections as httpx keeps unless told otherwise, 100: with 500 the app resets some of them."""
    limits = httpx.Limits(max_connections=100, max_keepalive_connections=100, keepalive_expiry=2)  # the app's is 5
    return httpx.AsyncClient(limits=limits, timeout=None)


async def call(http: httpx.AsyncClient, text: str) -> str:
    begun = await http.post(CALL, json={"data": [text]})
    event, number = "", begun.raise_for_status().json()["event_id"]
    async with http.stream("GET", f"{CALL}/{number}") as stream:
        async for line in stream.aiter_lines():
            if line.startswith("event: "):
                event = line[7:]
            elif line.startswith("data: ") and event == "complete":
                return str(json.loads(line[6:])[0])
    raise RuntimeError("it ended without an answer")


def calls(size: int, folder: Path) -> Figures:
    """One after the other."""

    async def run() -> Figures:
        async with client() as http:
            await call(http, "warm")
            took = 0.0
            for _ in range(size):
                text = f"call {next(NUMBERS)}"
                start = time.perf_counter()
                said = await call(http, text)
                took += time.perf_counter() - start
                assert said == text.upper(), said
            return {"call": took}

    return asyncio.run(run())


def many(size: int, folder: Path) -> Figures:
    """All at once."""

    async def run() -> Figures:
        async with client() as http:
            await call(http, "warm")
            texts = [f"many {next(NUMBERS)}" for _ in range(size)]
            start = time.perf_counter()
            said = await asyncio.gather(*[call(http, text) for text in texts])
            took = time.perf_counter() - start
            assert said == [text.upper() for text in texts]
            return {"call": took}

    return asyncio.run(run())


if __name__ == "__main__":
    serve({"calls": calls, "many": many})
