"""What a node gave, turned into artifacts: which values become files, and which stay in memory."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from daggr.digest import UnencodableError, digest
from daggr.engine.runners.base import Returned
from daggr.errors import NodeFailedError
from daggr.graph.component import NAMED_FILE_TYPES, Component
from daggr.graph.nodes.base import NodeSpec
from daggr.store.artifacts import Artifacts, Staged
from daggr.store.records import Output


@dataclass(frozen=True)
class Taken:
    """The outputs of a run, the artifacts to put, and why the run is not cached (empty when it is)."""

    outputs: tuple[Output, ...]
    staged: tuple[Staged, ...]
    uncached: str


def take(artifacts: Artifacts, spec: NodeSpec, returned: Returned, run: bytes, folder: Path) -> Taken:
    """Stage what a node returned. Files are copied now, before anybody can change them.

    Raises:
        NodeFailedError: a file port was given something that is no file of this run's.
    """
    outputs, staged, uncached = [], [], ""
    for port, component in spec.outputs.items():
        value = returned.values.get(port)
        if (source := _as_file(spec, port, component, value, returned, folder)) is not None:
            item = artifacts.stage_file(source, _file_name(port, component, source))
        else:
            try:
                item = artifacts.stage(value)
            except UnencodableError as error:
                identity = digest("volatile", run, port.encode())
                artifacts.keep(identity, value)
                outputs.append(Output(port, identity))
                uncached = uncached or f"not cached: port {port} holds a {error.kind}"
                continue
        staged.append(item)
        outputs.append(Output(port, item.digest))
    return Taken(tuple(outputs), tuple(staged), uncached)


def _as_file(
    spec: NodeSpec, port: str, component: Component | None, value: Any, returned: Returned, folder: Path
) -> Path | None:
    """The file that a value stands for, or None for a plain value."""
    given = value["path"] if (is_reference := _is_reference(value)) else value
    wants_file = component is not None and component.is_file
    if value is None or not (wants_file or is_reference):
        if _holds_reference(value):
            raise _refused(spec, port, "a list or dict with files in it, which daggr cannot keep yet")
        return None
    if isinstance(given, (list, tuple)) and len(given) > 0 and component is not None and component.type == "image":
        given = given[0]
    if hasattr(given, "save") and hasattr(given, "mode"):
        path = folder / f"{port or 'image'}-{id(given):x}.png"
        given.save(path, format="PNG")
        return path
    if not isinstance(given, (str, Path)):
        raise _refused(spec, port, f"a {type(value).__name__}")
    if str(given) in returned.texts and not is_reference:
        raise _refused(spec, port, f"the text {str(given)!r}, which came in as text and does not become a file")
    path = Path(given).resolve()
    if not path.is_file():
        raise _refused(spec, port, f"{str(given)!r}, where there is no file")
    if not _may_take(path, folder):
        raise _refused(spec, port, f"{str(given)!r}, which is outside of the working folder and the temporary folder")
    return path


def _may_take(path: Path, folder: Path) -> bool:
    if path.is_relative_to(folder.resolve()):
        return True
    for root in (Path.cwd().resolve(), Path(tempfile.gettempdir()).resolve()):
        if path.is_relative_to(root):
            return not any(part.startswith(".") for part in path.relative_to(root).parts)
    return False


def _file_name(port: str, component: Component | None, source: Path) -> str:
    if component is None or component.type in NAMED_FILE_TYPES:
        return source.name
    return f"{port}{source.suffix}"


def _is_reference(value: Any) -> bool:
    return isinstance(value, Mapping) and "path" in value and bool(value.get("meta"))


def _holds_reference(value: Any) -> bool:
    return any(_is_reference(item) or (hasattr(item, "save") and hasattr(item, "mode")) for item in _items(value))


def _items(value: Any) -> Iterator[Any]:
    children = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ()
    for child in children:
        yield child
        yield from _items(child)


def _refused(spec: NodeSpec, port: str, what: str) -> NodeFailedError:
    return NodeFailedError(
        f"Output {port!r} of {spec.name!r} is {what}.",
        "A file output is the path of a file that exists, in the working or the temporary folder, or a PIL image.",
        spec.where,
        node=spec.name,
    )
