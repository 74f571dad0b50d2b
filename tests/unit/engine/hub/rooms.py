"""What the tests of this room work with: a catalogue over real HTTP, and small apps that can be told how to behave."""

from __future__ import annotations

import threading
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from daggr import GradioNode
from daggr.engine.hub.catalogue import TIMEOUT, Catalogue
from daggr.engine.hub.hub import Hub
from daggr.engine.workers.thread import ThreadWorker
from daggr.graph.nodes.base import spec_of
from daggr.graph.nodes.gradio import GradioSpec
from daggr.testing.web import Asked, Reply, Web, said

TOKEN = "hf_testPlantedPlantedPlanted"


class SmallApp(Web):
    """What a Gradio app says of itself, and nothing else. All of it may be changed while it runs.

    Attributes:
        endpoints: The names of its endpoints, and of the parameters of each.
        app_id: Which start of it this is.
        prefix: Where its API is.
        seconds: How long each answer takes.
        status: Instead of its answers, if it is not 200.
        etags: Whether it gives ETags.
        ballast: Characters of what nobody reads.
    """

    def __init__(self, endpoints: Mapping[str, tuple[str, ...]] | None = None) -> None:
        super().__init__()
        self.endpoints = dict(endpoints or {"predict": ("text",)})
        self.app_id = "1"
        self.prefix = "/gradio_api"
        self.seconds = 0.0
        self.status = 200
        self.etags = False
        self.ballast = 0
        self.most = self._now = 0
        self._lock = threading.Lock()

    def reply(self, asked: Asked) -> Reply:
        with self._lock:
            self._now += 1
            self.most = max(self.most, self._now)
        time.sleep(self.seconds)
        try:
            return self._reply(asked)
        finally:
            with self._lock:
                self._now -= 1

    def count(self, path: str) -> int:
        """How often something was asked for."""
        return sum(one.path.endswith(path) for one in list(self.requests))

    def _reply(self, asked: Asked) -> Reply:
        if self.status != 200:
            return Reply(self.status, b"<html>no</html>")
        if asked.path == "/config":
            return self._tagged(asked, self._config())
        if asked.path == f"{self.prefix}/info":
            return self._tagged(asked, self._info())
        if asked.path == f"{self.prefix}/app_id":
            return said({"app_id": self.app_id})
        return said({"detail": "Not Found"}, 404)

    def _tagged(self, asked: Asked, document: dict[str, Any]) -> Reply:
        tag = f'"{self.app_id}"'
        if not self.etags:
            return said(document)
        return Reply(304) if asked.headers.get("if-none-match") == tag else said(document, ETag=tag)

    def _config(self) -> dict[str, Any]:
        numbers = range(len(self.endpoints))
        return {
            "version": "6.0.0",
            "protocol": "sse_v3",
            "app_id": self.app_id,
            "api_prefix": self.prefix,
            "css": "x" * self.ballast,
            "components": [{"id": 1, "type": "textbox", "props": {"choices": "y" * self.ballast}}],
            "dependencies": [
                {"id": number, "api_name": name, "inputs": [1] * len(parameters), "outputs": [1], "js": None}
                for number, (name, parameters) in zip(numbers, self.endpoints.items(), strict=True)
            ],
        }

    def _info(self) -> dict[str, Any]:
        def parameter(name: str) -> dict[str, Any]:
            return {"parameter_name": name, "parameter_has_default": False, "component": "Textbox", "label": name}

        named = {
            f"/{name}": {"parameters": [parameter(one) for one in parameters], "returns": [], "description": "d"}
            for name, parameters in self.endpoints.items()
        }
        return {"named_endpoints": named, "unnamed_endpoints": {}}


def node(source: str, api_name: str = "predict", *names: str, **options: Any) -> GradioSpec:
    """A node that calls an endpoint with fixed texts."""
    made = GradioNode(source, api_name, inputs=dict.fromkeys(names or ("text",), "a"), outputs={"out": None}, **options)
    spec = spec_of(made)
    assert isinstance(spec, GradioSpec)
    return spec


@asynccontextmanager
async def opened(folder: Path | None = None) -> AsyncIterator[Catalogue]:
    """A catalogue, as after a start; what it keeps is in `folder`."""
    worker = ThreadWorker()
    async with httpx.AsyncClient(timeout=TIMEOUT) as client:
        catalogue = Catalogue(client, worker, Hub(worker, folder))
        try:
            yield catalogue
        finally:
            await catalogue.close()
            worker.close()
