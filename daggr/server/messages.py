"""The wire contract: every request, reply and event, and nothing else.

The TypeScript types of the canvas are generated from this file (`make types`), so a name changed here and not there
fails the build. Times are seconds since the epoch, durations are seconds. Unknown fields are refused.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec


class Message(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What all messages have in common."""


# ---------------------------------------------------------------- values


class JsonValue(Message, tag="json", tag_field="kind"):
    """A value that JSON can say."""

    value: Any


class FileValue(Message, tag="file", tag_field="kind"):
    """A file of the store. `artifact` names it in requests, `url` serves its bytes (with Range)."""

    artifact: str
    name: str
    url: str
    mime: str
    size: int


class OpaqueValue(Message, tag="opaque", tag_field="kind"):
    """A value that has no JSON form, or is too large, damaged or gone: only its description travels."""

    text: str


class ItemsValue(Message, tag="items", tag_field="kind"):
    """What the items of a scattered node gave. `shown` are the first of them; null stands for an item without value."""

    total: int
    shown: list[JsonValue | FileValue | OpaqueValue | None]


Value = JsonValue | FileValue | OpaqueValue | ItemsValue


# ---------------------------------------------------------------- the graph (static until the script changes)


class ComponentView(Message):
    """A Gradio component as Gradio's own front end receives it: block name and config."""

    type: str
    config: dict[str, Any]


class InputPortView(Message):
    """An input port of a node card. Where its value comes from decides what the card shows."""

    name: str
    source: Literal["edge", "ui", "fixed", "sampled", "default"]
    text: str = ""
    """Fixed values as text, a sampled input's function name; else empty."""
    optional: bool = False


class OutputPortView(Message):
    """An output port of a node card; without a component it is connectable but not shown."""

    name: str
    component: ComponentView | None = None


class InputField(Message):
    """One input that a person sets. `id` is the `{node}__{port}` of the API."""

    id: str
    port: str
    component: ComponentView


NodeKind = Literal["fn", "gradio", "inference", "interaction", "choice"]
Question = Literal["", "generic", "approve", "choose_one", "text_input", "image_input"]


class VariantView(Message):
    """One of the nodes that a choice offers. `fields` are the inputs that it alone takes."""

    name: str
    kind: NodeKind
    inputs: list[InputPortView]
    fields: list[InputField]
    subtitle: str = ""
    link: str | None = None
    question: Question = ""


class NodeCard(Message):
    """A node of the graph."""

    name: str
    kind: NodeKind
    inputs: list[InputPortView]
    """Those of a choice are the ports of all its variants."""
    outputs: list[OutputPortView]
    subtitle: str = ""
    """The endpoint, the function: what the node calls."""
    link: str | None = None
    where: str | None = None
    """Where the user's script creates the node, as `app.py:14`."""
    question: Question = ""
    """What an interaction asks for; empty for all other nodes."""
    variants: list[VariantView] = []
    """What a choice offers; empty for all other nodes."""
    selects: str = ""
    """The input whose value is the name of the variant that runs."""


class InputCard(Message):
    """A card of input fields."""

    id: str
    title: str
    fields: list[InputField]


class EdgeView(Message):
    """A wire between two ports. `source` is the name of a node card or the id of an input card.

    `mode` is `each` where a list is split into items, and `all` where items become a list.
    """

    id: str
    source: str
    source_port: str
    target: str
    target_port: str
    mode: Literal["whole", "each", "all"] = "whole"
    variants: list[str] = []
    """The variants of a choice that it feeds; empty if the target is no choice."""


class GraphView(Message):
    """Everything of the canvas that does not change while people use it. `epoch` names this load of the script."""

    name: str
    epoch: str
    persistent: bool
    nodes: list[NodeCard]
    inputs: list[InputCard]
    edges: list[EdgeView]


# ---------------------------------------------------------------- problems


class Problem(Message):
    """An error body as in RFC 9457, with 0.8's `error` beside it."""

    title: str
    status: int
    detail: str
    error: str
    hint: str = ""
    where: str | None = None
    type: str = "about:blank"
    available_subgraphs: list[str] | msgspec.UnsetType = msgspec.UNSET


class NodeError(Message):
    """Why a node failed, for its card."""

    title: str
    detail: str
    hint: str = ""


# ---------------------------------------------------------------- a sheet


class HistoryPosition(Message):
    """`‹ index/total ›`; index counts from 1, newest last, and is 0 when the shown result is not in the history."""

    index: int
    total: int


class ItemCount(Message):
    """How far a scattered node is, or how its items ended."""

    done: int
    failed: int
    total: int


NodeStatus = Literal["idle", "queued", "running", "done", "failed", "stopped"]


class NodeState(Message):
    """What a node card shows in one sheet."""

    status: NodeStatus
    fresh: bool
    reason: str = ""
    """Why the node is not fresh, in words; empty when it is."""
    outputs: dict[str, Value] = {}
    history: HistoryPosition | None = None
    started_at: float | None = None
    seconds: float | None = None
    predicted_seconds: float | None = None
    error: NodeError | None = None
    notes: list[str] = []
    revision: str = ""
    """The commit of the Space or model that made the result, in short; empty if it is none or was not seen."""
    log: str = ""
    run: str = ""
    """What `DELETE …/runs/{run}` stops; empty while the node neither runs nor waits to."""
    items: ItemCount | None = None
    asks: Value | None = None
    """What an interaction asks about, while it waits for a person's answer; null while there is nothing to answer."""


class SheetSummary(Message):
    """A line of the list of sheets."""

    sheet_id: str
    name: str
    created_at: float
    updated_at: float


class SheetList(Message):
    """The sheets of a user over this graph."""

    sheets: list[SheetSummary]
    user_id: str


class SheetView(Message):
    """A sheet as the canvas shows it. `inputs` by input id, `nodes` by node name, `edges`: edge id → fresh."""

    sheet_id: str
    name: str
    created_at: float
    updated_at: float
    version: int
    inputs: dict[str, Value]
    nodes: dict[str, NodeState]
    edges: dict[str, bool]


class HistoryEntryView(Message):
    """One result of a node. `index` counts from 1, newest last; `edited` if it is what a user made of another one."""

    index: int
    run: str
    started_at: float
    seconds: float
    outputs: dict[str, Value]
    edited: bool = False


class HistoryView(Message):
    """All results of a node in a sheet, oldest first."""

    node: str
    entries: list[HistoryEntryView]


# ---------------------------------------------------------------- requests and their replies


class InputsEdit(Message):
    """Set inputs: plain JSON, or `{"artifact": id}` on a file input. `tab` comes back in the event it causes."""

    inputs: dict[str, Any]
    tab: str = ""


class RunRequest(Message):
    """Run a node and what it needs (`to_here`), or everything that is stale or missing (`all`, without a node).

    `step` runs the node alone, on what its parents show; `force` runs all that it needs, known or not.
    """

    node: str | None = None
    mode: Literal["to_here", "all", "step", "force"] = "to_here"
    tab: str = ""


class AnswerRequest(Message):
    """Answer an interaction: plain JSON, or `{"artifact": id}` for a file.

    `approve` takes true or false; `choose_one` the value of an option, or its index from 0.
    """

    node: str
    answer: Any = None
    tab: str = ""


class OutputsEdit(Message):
    """Put other values in place of what a node gave, by port: plain JSON, files as `{"artifact": id}`."""

    node: str
    outputs: dict[str, Any]
    tab: str = ""


class HeadSelect(Message):
    """Show another entry of a node's history; `index` counts from 1. Restores the inputs that made it."""

    node: str
    index: int
    tab: str = ""


class Accepted(Message):
    """A change was made. The sheet's `version`, and `seq` of the last event it caused."""

    version: int
    seq: int


class HeadSelected(Message):
    """A result is shown. `missing` says, in sentences, what of its past could not be brought back."""

    version: int
    seq: int
    missing: list[str]


class RunAccepted(Message):
    """A run was started."""

    run: str
    version: int
    seq: int


class CallRequest(Message):
    """Inputs of `POST /api/call` by input id; what is left out takes its default."""

    inputs: dict[str, Any] = {}


class CallReply(Message):
    """Outputs by node and port; files as URLs."""

    outputs: dict[str, dict[str, Any]]


class SchemaInput(Message):
    """An input of the API."""

    node: str
    port: str
    type: str
    id: str


class SchemaOutput(Message):
    """An output of the API."""

    node: str
    port: str
    type: str


class SubgraphView(Message):
    """A part of the graph that is not connected with the rest."""

    id: str
    inputs: list[SchemaInput]
    outputs: list[SchemaOutput]


class SchemaView(Message):
    """`GET /api/schema`."""

    subgraphs: list[SubgraphView]


class Health(Message):
    """`GET /api/health`."""

    status: Literal["ok"]
    version: str


# ---------------------------------------------------------------- events (server → page, over the WebSocket)


class Snapshot(Message, tag="snapshot", tag_field="type"):
    """Everything, sent on connecting and whenever the page cannot be caught up."""

    seq: int
    epoch: str
    graph: GraphView
    sheet: SheetView


class Changed(Message, tag="changed", tag_field="type"):
    """What is different now; each value replaces the one before it. `by` is the tab whose request caused it."""

    seq: int
    version: int
    by: str = ""
    inputs: dict[str, Value] = {}
    nodes: dict[str, NodeState] = {}
    edges: dict[str, bool] = {}


class Progressed(Message, tag="progress", tag_field="type"):
    """How far a running node is. `fraction` 0…1, or absent when unknown; `text` such as "step 3/20" or "7 of 12"."""

    seq: int
    node: str
    fraction: float | None = None
    text: str = ""


class Gave(Message, tag="gave", tag_field="type"):
    """What a running node has given so far, by port. It is shown in place of its outputs, and kept nowhere."""

    seq: int
    node: str
    outputs: dict[str, Value]


class Logged(Message, tag="log", tag_field="type"):
    """Text that a running node printed."""

    seq: int
    node: str
    text: str


Event = Snapshot | Changed | Progressed | Gave | Logged

PUBLIC: tuple[Any, ...] = (
    GraphView,
    SheetList,
    SheetView,
    HistoryView,
    InputsEdit,
    RunRequest,
    AnswerRequest,
    OutputsEdit,
    HeadSelect,
    Accepted,
    HeadSelected,
    RunAccepted,
    Problem,
    Event,
)
"""What the canvas needs; the roots of the generated TypeScript types."""
