"""daggr: AI workflows from a Python script, with a canvas, a REST API and a content-addressed cache.

```python
import gradio as gr
from daggr import FnNode, Graph

def shout(text):
    return text.upper()

node = FnNode(shout, inputs={"text": gr.Textbox()}, outputs={"loud": gr.Textbox()})
Graph("Shout", nodes=[node]).launch()
```
"""

from __future__ import annotations

from daggr import runtime as _runtime
from daggr._version import __version__
from daggr.errors import (
    ArtifactCorruptError,
    ArtifactMissingError,
    ConfigError,
    CycleError,
    DaggrError,
    DuplicateNodeError,
    EndpointError,
    GraphError,
    NodeFailedError,
    NotCachedError,
    RemoteError,
    RunCancelledError,
    RunError,
    RunTimeoutError,
    ScatterError,
    StoreAccessError,
    StoreError,
    StoreFullError,
    StoreLockedError,
    StoreVersionError,
    SyncError,
    UnknownCodecError,
    UnknownInputError,
    UnknownPortError,
)
from daggr.graph.edge import Edge
from daggr.graph.graph import Graph
from daggr.graph.item_list import ItemList
from daggr.graph.nodes.base import Node
from daggr.graph.nodes.choice import ChoiceNode
from daggr.graph.nodes.fn import FnNode
from daggr.graph.nodes.gradio import GradioNode
from daggr.graph.nodes.inference import InferenceNode
from daggr.graph.nodes.input import InputNode
from daggr.graph.nodes.interaction import InteractionNode
from daggr.graph.port import Port
from daggr.store.codecs.registry import register as codec

__all__ = [
    "ArtifactCorruptError",
    "ArtifactMissingError",
    "ChoiceNode",
    "ConfigError",
    "CycleError",
    "DaggrError",
    "DuplicateNodeError",
    "Edge",
    "EndpointError",
    "FnNode",
    "GradioNode",
    "Graph",
    "GraphError",
    "InferenceNode",
    "InputNode",
    "InteractionNode",
    "ItemList",
    "Node",
    "NodeFailedError",
    "NotCachedError",
    "Port",
    "RemoteError",
    "RunCancelledError",
    "RunError",
    "RunTimeoutError",
    "ScatterError",
    "StoreAccessError",
    "StoreError",
    "StoreFullError",
    "StoreLockedError",
    "StoreVersionError",
    "SyncError",
    "UnknownCodecError",
    "UnknownInputError",
    "UnknownPortError",
    "__version__",
    "codec",
]

_NOT_YET = ("once",)

_runtime.register("daggr.wiring:Runtime")


def __getattr__(name: str) -> object:
    if name in _NOT_YET:
        raise ImportError(f"daggr {__version__} does not have {name} yet; this version has {', '.join(__all__)}.")
    raise AttributeError(f"module 'daggr' has no attribute {name!r}")
