"""Sheets: their inputs, and which results they show."""

from __future__ import annotations

from litestar import get, patch
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery, JSONBody

from daggr.server.messages import (
    Accepted,
    HeadSelect,
    HeadSelected,
    HistoryEntryView,
    HistoryView,
    InputsEdit,
    OutputsEdit,
    SheetList,
    SheetSummary,
    SheetView,
)
from daggr.server.served import Served


def sheet_routes(served: Served) -> list[HTTPRouteHandler]:
    """`/api/sheets…`."""

    @get("/api/sheets", sync_to_thread=False)
    def list_sheets() -> SheetList:
        """The user's sheets, oldest first."""
        found = served.sheets.all()
        return SheetList([SheetSummary(s.id.hex(), s.name, s.created, s.updated) for s in found], served.user)

    @get("/api/sheets/{sheet:str}", sync_to_thread=False)
    def get_sheet(sheet: FromPath[str]) -> SheetView:
        """A sheet: inputs, results, what is fresh."""
        return served.feed(sheet).look()

    @patch("/api/sheets/{sheet:str}/inputs", status_code=200)
    async def edit_inputs(sheet: FromPath[str], data: JSONBody[InputsEdit]) -> Accepted:
        """Set inputs. Known results for them appear at once; nothing runs."""
        feed = served.feed(sheet)
        found = served.sheet(sheet)
        served.sheets.set_inputs(found, served.sheet_inputs(found, data.inputs))
        return feed.refresh(data.tab)

    @patch("/api/sheets/{sheet:str}/heads", status_code=200)
    async def select_head(sheet: FromPath[str], data: JSONBody[HeadSelect]) -> HeadSelected:
        """Show an earlier result of a node, with the inputs that made it."""
        feed = served.feed(sheet)
        restored = served.sheets.select(served.sheet(sheet), served.node(data.node), data.index)
        accepted = feed.refresh(data.tab)
        return HeadSelected(accepted.version, accepted.seq, list(restored.missing))

    @patch("/api/sheets/{sheet:str}/outputs", status_code=200)
    async def edit_outputs(sheet: FromPath[str], data: JSONBody[OutputsEdit]) -> Accepted:
        """Put other values in place of what a node gave. It is a result of its own, and the old one stays."""
        feed = served.feed(sheet)
        served.edit(served.sheet(sheet), served.node(data.node), data.outputs)
        return feed.refresh(data.tab)

    @get("/api/sheets/{sheet:str}/history", sync_to_thread=False)
    def history(sheet: FromPath[str], node: FromQuery[str]) -> HistoryView:
        """All results of a node, oldest first. The node is a query parameter: its name may hold anything, even `/`."""
        found = served.sheets.history(served.sheet(sheet), served.node(node))
        with served.engine.store.read() as txn:
            entries = [
                HistoryEntryView(
                    index,
                    run.id.hex(),
                    run.started,
                    run.seconds,
                    {output.port: served.values.show(txn, output.digest) for output in run.outputs},
                    run.kind == "edit",
                )
                for index, (_, run) in enumerate(found, 1)
            ]
        return HistoryView(node, entries)

    return [list_sheets, get_sheet, edit_inputs, select_head, edit_outputs, history]
