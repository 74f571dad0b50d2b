"""A graph served in this process, over real HTTP, so that a test can look inside while it talks to the wire."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from websockets.sync.client import ClientConnection, connect

from daggr import Graph
from daggr.engine.engine import Engine
from daggr.engine.program import Program
from daggr.engine.runners.base import Runner
from daggr.graph.graph import drawing_of
from daggr.server.app import make_app
from daggr.store.store import Store


@dataclass
class Served:
    """A running server: an HTTP client for it, and what is behind it."""

    http: httpx.Client
    engine: Engine
    program: Program

    def call(self, inputs: Mapping[str, Any] | None = None, **headers: str) -> httpx.Response:
        """POST /api/call."""
        return self.http.post("/api/call", json={"inputs": inputs or {}}, headers=headers)

    @property
    def sheet(self) -> str:
        """The path of the first sheet."""
        return f"/api/sheets/{self.http.get('/api/sheets').json()['sheets'][0]['sheet_id']}"

    def events(self, epoch: str = "", after: int = -1) -> ClientConnection:
        """The event stream of the first sheet."""
        base = str(self.http.base_url).rstrip("/").replace("http", "ws", 1)
        sheet = self.sheet.rpartition("/")[2]
        return connect(f"{base}/api/events?sheet={sheet}&epoch={epoch}&after={after}")


@contextmanager
def serving(graph: Graph, store: Path, runners: Mapping[str, Runner] | None = None) -> Iterator[Served]:
    """Serve a graph on a free port of the loopback interface."""
    with Store(store) as opened:
        engine = Engine(opened, runners)
        program = engine.load(drawing_of(graph))
        settings = uvicorn.Config(make_app(engine, program, "local"), port=0, log_level="warning", lifespan="on")
        server = uvicorn.Server(settings)
        thread = threading.Thread(target=server.run)
        thread.start()
        try:
            while not server.started:
                thread.join(0.005)
                assert thread.is_alive(), "the server did not start"
            port = server.servers[0].sockets[0].getsockname()[1]
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as http:
                yield Served(http, engine, program)
        finally:
            server.should_exit = True
            thread.join(10)
            engine.close()
