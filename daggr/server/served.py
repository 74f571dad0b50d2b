"""What a server serves: an engine, a program, and the feeds of the sheets that somebody looks at."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from typing import Any

from litestar.exceptions import NotFoundException

from daggr.engine.engine import Engine
from daggr.engine.events import StepEvent
from daggr.engine.intake import Stored
from daggr.engine.program import Program
from daggr.errors import UnknownInputError, did_you_mean
from daggr.graph.drawing import Drawing
from daggr.server.canvas import base_of
from daggr.server.feed import Feed
from daggr.server.incoming import as_option, asks_file, file_digest, with_files
from daggr.server.values import Values
from daggr.server.view import asked


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

    @property
    def drawing(self) -> Drawing:
        """What is offered: the drawing with all variants of its choices."""
        return base_of(self.program).drawing

    def job(self, sheet: bytes, run: str) -> str:
        """A job of a sheet from the wire.

        Raises:
            NotFoundException: it has ended, is another sheet's, or there was none.
        """
        if run not in self.engine.jobs(sheet):
            raise NotFoundException(f"There is no run {run!r} under way on this sheet; perhaps it has ended.")
        return run

    # ------------------------------------------------------------ values from the wire

    def inputs(self, given: Mapping[str, Any]) -> dict[str, bytes]:
        """Keep input values, and answers to the interactions of the variants they select; their digests by id."""
        selects = {name for choice in self.drawing.choices.values() for name in choice.ids}
        chosen = self.engine.stage_inputs(self.program, {name: given[name] for name in given if name in selects})
        program = self.program.at(chosen)
        rest = {name: self._given(program, name, value) for name, value in given.items() if name not in selects}
        return {**chosen, **self.engine.stage_inputs(program, rest)}

    def sheet_inputs(self, sheet: bytes, given: Mapping[str, Any]) -> dict[str, bytes]:
        """Keep input values of a sheet.

        Raises:
            UnknownInputError: one of them is none, or the answer to an interaction: sheets have those as results.
        """
        unknown = [name for name in given if name not in self.drawing.inputs]
        answers = self.program.at(self.sheets.state(sheet).inputs).answers if unknown else {}
        for name in unknown:
            if name in answers:
                raise UnknownInputError(
                    f"{name!r} is the answer to {answers[name]!r}; a sheet is given it when it asks.",
                    "POST it to /api/sheets/{id}/nodes/answer.",
                )
        return self.inputs(given)

    def answer(self, sheet: bytes, node: str, given: Any) -> bytes:
        """Keep the answer to an interaction of a sheet; its digest.

        Raises:
            UnknownInputError: the node asks nothing, or for a file and it is none.
        """
        state = self.sheets.state(sheet)
        program = self.program.at(state.inputs)
        name = next((name for name, asking in program.answers.items() if asking == node), None)
        if name is None:
            raise UnknownInputError(f"{node!r} does not ask anything.", where=program.drawing.nodes[node].where)
        value = self._given(program, name, given)
        if type(value) is int:
            value = as_option(self._options(asked(program, state, node)), value)
        return self.engine.stage_inputs(program, {name: value})[name]

    def edit(self, sheet: bytes, node: str, outputs: Mapping[str, Any]) -> None:
        """Put other values in place of what a node of a sheet gave.

        Raises:
            GraphError: there is nothing to edit, or no such output.
        """
        store, spec = self.engine.store, self.drawing.nodes[node]
        result = self.sheets.state(sheet).results.get(node)
        shown = {output.port: output.digest for output in result.run.outputs} if result is not None else {}
        digests: dict[str, bytes] = {}
        for port, given in outputs.items():
            component = spec.outputs.get(port)
            if component is not None and component.is_file and given is not None:
                digests[port] = file_digest(self.values, port, given)
                continue
            with store.read() as txn:
                known = self.values.files_in(txn, shown[port]) if port in shown else {}
            value = with_files(self.values, known, given)
            staged = store.artifacts.stage(component.normalise(value) if component is not None else value)
            store.put([staged])
            digests[port] = staged.digest
        self.sheets.edit(sheet, node, digests)

    def _options(self, digest: bytes | None) -> list[Any]:
        """What there is to choose from."""
        artifacts = self.engine.store.artifacts
        with self.engine.store.read() as txn:
            value = artifacts.load_raw(txn, digest) if digest and artifacts.has(txn, digest) else ()
            if digest and artifacts.items(txn, digest) is not None:
                return [artifacts.load_raw(txn, item) for item in value if item is not None]
        return list(value) if isinstance(value, (list, tuple)) else []

    def _given(self, program: Program, name: str, value: Any) -> Any:
        """The value of an input or an answer; of a file what the store has of it."""
        field, asking = program.drawing.inputs.get(name), program.answers.get(name)
        spec = program.definitions[asking].spec if asking is not None else None
        takes_file = field.component.is_file if field is not None else asks_file(spec)
        return Stored(file_digest(self.values, name, value)) if takes_file and value is not None else value

    def _take(self, event: StepEvent) -> None:
        feed = self._feeds.get(event.sheet)
        if feed is not None:
            feed.take(event)


def unknown_subgraph(given: str, valid: list[str]) -> UnknownInputError:
    """The error for a subgraph that is not there."""
    return UnknownInputError(f"There is no subgraph {given!r}. Subgraphs: {', '.join(valid)}.")
