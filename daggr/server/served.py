"""What a server serves: an engine, a program, and the feeds of the sheets that somebody looks at."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from typing import Any

from litestar.exceptions import NotFoundException

from daggr.engine.engine import Engine, Stored
from daggr.engine.events import StepEvent
from daggr.engine.program import Program
from daggr.errors import UnknownInputError, did_you_mean
from daggr.server.feed import Feed
from daggr.server.values import Values, reference


class Served:
    """The state behind the routes. Everything is the one local user's; other users come with accounts."""

    def __init__(self, engine: Engine, program: Program, user: str) -> None:
        self.engine = engine
        self.program = program
        self.user = user
        self.sheets = engine.sheets(program, user)
        self.values = Values(engine.store, user)
        self._feeds: dict[bytes, Feed] = {}
        self._stop_watching: Callable[[], None] = lambda: None

    def open(self) -> None:
        """Watch the engine, from the loop this is called in."""
        loop = asyncio.get_running_loop()

        def forward(event: StepEvent) -> None:
            with contextlib.suppress(RuntimeError):  # the loop has ended: nobody looks any more
                loop.call_soon_threadsafe(self._take, event)

        self._stop_watching = self.engine.observe(forward)
        for sheet in self.sheets.all():
            self.sheets.settle(sheet.id)

    def close(self) -> None:
        """Stop watching and end all streams."""
        self._stop_watching()
        for feed in self._feeds.values():
            feed.close()

    def feed(self, sheet_id: str) -> Feed:
        """The feed of a sheet.

        Raises:
            NotFoundException: the user has no such sheet.
        """
        sheet = self.sheet(sheet_id)
        if sheet not in self._feeds:
            self._feeds[sheet] = Feed(self.engine, self.program, self.sheets, self.values, sheet)
        return self._feeds[sheet]

    def sheet(self, sheet_id: str) -> bytes:
        """A sheet's id from the wire."""
        try:
            sheet = bytes.fromhex(sheet_id)
        except ValueError:
            sheet = b""
        if not self.sheets.has(sheet):
            raise NotFoundException(f"There is no sheet {sheet_id!r}; GET /api/sheets lists them.")
        return sheet

    def node(self, name: str) -> str:
        """A node's name from the wire."""
        nodes = list(self.program.drawing.nodes)
        if name not in nodes:
            raise NotFoundException(
                f"There is no node {name!r}. Nodes: {', '.join(nodes)}. {did_you_mean(name, nodes)}".rstrip()
            )
        return name

    def inputs(self, given: Mapping[str, Any]) -> dict[str, bytes]:
        """Keep input values from the wire; their digests by the inputs' own ids."""
        values: dict[str, Any] = {}
        for name, value in given.items():
            field = self.program.drawing.inputs.get(name)
            digest = reference(self.values, field.component, name, value) if field is not None else None
            values[name] = Stored(digest) if digest is not None else value
        return self.engine.stage_inputs(self.program, values)

    def _take(self, event: StepEvent) -> None:
        feed = self._feeds.get(event.sheet)
        if feed is not None:
            feed.take(event)


def unknown_subgraph(given: str, valid: list[str]) -> UnknownInputError:
    """The error for a subgraph that is not there."""
    return UnknownInputError(f"There is no subgraph {given!r}. Subgraphs: {', '.join(valid)}.")
