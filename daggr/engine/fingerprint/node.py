"""The definition of a node: its kind, what it calls, its hooks and its output ports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from daggr.digest import Digest, encode
from daggr.engine.fingerprint.leaves import LeafMap
from daggr.engine.fingerprint.reading import read_python
from daggr.engine.fingerprint.source import own_sources, sources_digest
from daggr.engine.fingerprint.versioned import add_depends, add_version
from daggr.errors import GraphError
from daggr.graph.component import Component
from daggr.graph.nodes.base import NodeSpec
from daggr.graph.nodes.fn import FnSpec
from daggr.graph.nodes.gradio import GradioSpec
from daggr.graph.nodes.inference import InferenceSpec
from daggr.graph.nodes.interaction import InteractionSpec
from daggr.graph.nodes.remote import RemoteSpec

_SHAPING = ("format", "image_mode", "precision", "type", "multiselect", "file_count")
"""Component arguments that shape the values which pass through."""


@dataclass(frozen=True)
class Fingerprint:
    """A definition's identity, the leaf map it is the hash of, and why results are not cached, if they are not.

    `modules` are those that its code may import when it runs, with the digests that are in the leaf map; `sources` the
    texts of leaves that are code; `soft` what is shown and not part of it, such as versions of libraries.
    """

    digest: Digest
    leaves: Mapping[str, Digest]
    uncached: str
    modules: Mapping[str, Digest]
    sources: Mapping[str, str]
    soft: Mapping[str, str]

    def changed_source(self) -> str:
        """A module that is not on disk any more as it was when the script was loaded; empty if all are."""
        return next(
            (module for module, known in self.modules.items() if sources_digest(own_sources(module)) != known), ""
        )


def node_fingerprint(spec: NodeSpec) -> Fingerprint:
    """The fingerprint of a node. Its name, labels and places are not part of it."""
    leaves = LeafMap()
    leaves.add("kind", spec.kind.encode())
    match spec:
        case FnSpec():
            if spec.version is None:
                read_python(leaves, "fn", spec.fn)
            else:
                add_version(leaves, "fn", spec.fn, spec.version)
            add_depends(leaves, spec.depends)
        case GradioSpec():
            leaves.add_value("app", spec.identity or spec.source)
            leaves.add_value("endpoint", spec.api_name)
            _add_revision(leaves, spec)
        case InferenceSpec():
            for name in ("model", "provider", "task"):
                leaves.add_value(name, getattr(spec, name))
            _add_revision(leaves, spec)
        case InteractionSpec():
            leaves.add_value("asks", spec.interaction_type)
        case _:
            raise GraphError(f"daggr cannot run nodes of the kind {spec.kind!r}.", where=spec.where)
    for hook in ("preprocess", "postprocess"):
        if (function := getattr(spec, hook)) is not None:
            read_python(leaves, hook, function)
    for index, (port, component) in enumerate(spec.outputs.items()):
        leaves.add(f"output {port}", encode((index, port, _shape(component))))
    return _sealed(leaves)


def _add_revision(leaves: LeafMap, spec: RemoteSpec) -> None:
    """A pinned commit is a part of what is called; one that was only seen is not."""
    if spec.revision:
        leaves.add_value("revision", spec.revision)


def provider_fingerprint(provider: object) -> Fingerprint:
    """The fingerprint of a callable that is sampled for an input."""
    leaves = LeafMap()
    read_python(leaves, "provider", provider)
    return _sealed(leaves)


def _sealed(leaves: LeafMap) -> Fingerprint:
    return Fingerprint(
        leaves.fingerprint(), leaves.leaves, leaves.uncached, leaves.modules, leaves.sources, leaves.soft
    )


def _shape(component: Component | None) -> tuple[object, ...] | None:
    if component is None:
        return None
    arguments = [(name, component.config[name]) for name in _SHAPING if name in component.config]
    return (component.type, *((name, value) for name, value in arguments if isinstance(value, (str, int, bool))))
