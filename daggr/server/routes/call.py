"""The workflow as an API: what it takes, and calling it."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from typing import Any

import msgspec
from litestar import Request, Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody

from daggr._version import __version__
from daggr.engine.engine import Answer, CacheMode
from daggr.errors import ConfigError, RunCancelledError
from daggr.graph.drawing import Subgraph
from daggr.graph.schema import api_schema
from daggr.server.canvas import graph_view
from daggr.server.messages import CallReply, CallRequest, GraphView, Health, SchemaView
from daggr.server.problems import AmbiguousSubgraph
from daggr.server.served import Served, unknown_subgraph
from daggr.server.visitor import visitor_of

CACHE_HEADER = "x-daggr-cache"


def call_routes(served: Served) -> list[HTTPRouteHandler]:
    """`/api/schema`, `/api/graph`, `/api/call`, `/api/health`."""

    @get("/api/health", sync_to_thread=False)
    def health() -> Health:
        """Whether the server answers."""
        return Health("ok", __version__)

    @get("/api/schema", sync_to_thread=False)
    def schema() -> SchemaView:
        """The inputs and outputs of the workflow."""
        return msgspec.convert(api_schema(served.drawing), SchemaView)

    @get("/api/graph", sync_to_thread=False)
    def graph() -> GraphView:
        """The graph as the canvas draws it."""
        return graph_view(served.program)

    @post("/api/call", status_code=200)
    async def call(request: Request[Any, Any, Any], data: JSONBody[CallRequest | None] = None) -> Response[CallReply]:
        """Run the workflow. `Cache-Control: no-cache` runs anew what is known; `only-if-cached` runs nothing."""
        subgraphs = served.program.drawing.subgraphs
        if len(subgraphs) > 1:
            raise AmbiguousSubgraph([subgraph.id for subgraph in subgraphs])
        return await _call(served, subgraphs[0] if subgraphs else None, data, request)

    @post("/api/call/{subgraph:str}", status_code=200)
    async def call_subgraph(
        request: Request[Any, Any, Any], subgraph: FromPath[str], data: JSONBody[CallRequest | None] = None
    ) -> Response[CallReply]:
        """Run one of several subgraphs."""
        known = {found.id: found for found in served.program.drawing.subgraphs}
        if subgraph not in known:
            raise unknown_subgraph(subgraph, list(known))
        return await _call(served, known[subgraph], data, request)

    return [health, schema, graph, call, call_subgraph]


async def _call(
    served: Served, subgraph: Subgraph | None, data: CallRequest | None, request: Request[Any, Any, Any]
) -> Response[CallReply]:
    inputs = served.inputs(data.inputs if data is not None else {})
    nodes = frozenset(subgraph.nodes if subgraph is not None else ())
    visitor, mode = await visitor_of(served, request), _cache_mode(request)
    future = served.engine.call(served.program, visitor.user, inputs, nodes, mode, visitor.credential)
    answer = future.result() if future.done() else await _wait(future)
    outputs = _outputs(served, answer, subgraph.outputs if subgraph is not None else ())
    return Response(CallReply(outputs), headers={CACHE_HEADER: answer.cache})


async def _wait(future: Future[Answer]) -> Answer:
    try:
        return await asyncio.wrap_future(future)
    except asyncio.CancelledError:
        if future.cancelled():  # the engine stops
            raise RunCancelledError("The server stops; the run was not finished.") from None
        raise


def _cache_mode(request: Request[Any, Any, Any]) -> CacheMode:
    asked = {part.strip() for part in request.headers.get("cache-control", "").lower().split(",")}
    if "only-if-cached" in asked:
        return "only"
    if "no-store" in asked:
        raise ConfigError(
            "Cache-Control: no-store is not built yet in this version.", "no-cache runs anew, and keeps it."
        )
    return "refresh" if "no-cache" in asked else "use"


def _outputs(served: Served, answer: Answer, nodes: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    with served.engine.store.read() as txn:
        return {
            node: {output.port: served.values.plain(txn, output.digest) for output in answer.runs[node].outputs}
            for node in nodes
        }
