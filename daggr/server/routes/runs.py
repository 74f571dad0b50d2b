"""What runs on a sheet: starting it, stopping it, and answering what it asks."""

from __future__ import annotations

from litestar import delete, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody

from daggr.errors import ConfigError
from daggr.server.messages import Accepted, AnswerRequest, RunAccepted, RunRequest
from daggr.server.served import Served


def run_routes(served: Served) -> list[HTTPRouteHandler]:
    """`/api/sheets/{sheet}/runs…` and `/api/sheets/{sheet}/nodes/answer`."""

    @post("/api/sheets/{sheet:str}/runs", status_code=200)
    async def start_run(sheet: FromPath[str], data: JSONBody[RunRequest]) -> RunAccepted:
        """Run a node and what it needs, or everything that is not up to date. Answers at once; events tell the rest."""
        feed = served.feed(sheet)
        node = served.node(data.node) if data.node is not None else None
        if node is None and data.mode == "step":
            raise ConfigError("The mode 'step' runs one node.", "Name it in `node`.")
        job, _ = served.engine.start(served.program, served.user, served.sheet(sheet), node, data.mode)
        accepted = feed.refresh(data.tab)
        return RunAccepted(job, accepted.version, accepted.seq)

    @delete("/api/sheets/{sheet:str}/runs/{run:str}", status_code=200)
    async def stop_run(sheet: FromPath[str], run: FromPath[str]) -> Accepted:
        """Stop a run. Answers at once; events tell how it ended."""
        feed = served.feed(sheet)
        served.engine.stop(served.job(served.sheet(sheet), run))
        return feed.refresh()

    @post("/api/sheets/{sheet:str}/nodes/answer", status_code=200)
    async def answer(sheet: FromPath[str], data: JSONBody[AnswerRequest]) -> RunAccepted:
        """Answer what an interaction asks now."""
        feed, node, found = served.feed(sheet), served.node(data.node), served.sheet(sheet)
        digest = served.answer(found, node, data.answer)
        job, _ = served.engine.answer(served.program, served.user, found, node, digest)
        accepted = feed.refresh(data.tab)
        return RunAccepted(job, accepted.version, accepted.seq)

    return [start_run, stop_run, answer]
