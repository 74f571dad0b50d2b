"""daggr 0.8.0: a GradioNode through the executor of its server, in one session, which keeps its client."""

from __future__ import annotations

import asyncio
import itertools
import os
import time
from pathlib import Path

import gradio as gr
from daggr.executor import AsyncExecutor
from daggr.session import ExecutionSession
from turns import Figures, serve

from daggr import GradioNode, Graph

NUMBERS = itertools.count()


def calls(size: int, folder: Path) -> Figures:
    """One after the other."""
    url = os.environ["DAGGR_BENCH_APP"]
    node = GradioNode(url, api_name="/text", name="up", inputs={"text": gr.Textbox()}, outputs={"upper": gr.Textbox()})
    graph = Graph("Upper", nodes=[node])
    executor = AsyncExecutor(graph)

    async def run() -> Figures:
        session = ExecutionSession(graph)
        await executor.execute_all(session, {"up": {"text": "warm"}})
        took = 0.0
        for _ in range(size):
            text = f"call {next(NUMBERS)}"
            start = time.perf_counter()
            results = await executor.execute_all(session, {"up": {"text": text}})
            took += time.perf_counter() - start
            assert results["up"]["upper"] == text.upper(), results
        return {"call": took}

    return asyncio.run(run())


if __name__ == "__main__":
    serve({"calls": calls})
