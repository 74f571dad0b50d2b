"""What a node gave, turned into artifacts: which values become files, and which stay in memory."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from daggr.digest import UnencodableError, digest
from daggr.engine.runners.base import Returned
from daggr.errors import NodeFailedError
from daggr.filename import safe_name
from daggr.graph.component import NAMED_FILE_TYPES, Component
from daggr.graph.nodes.base import NodeSpec
from daggr.store.artifacts import Artifacts, Staged
from daggr.store.records import Output


@dataclass(frozen=True)
class Taken:
    """The outputs of a run, the artifacts to put, and why the run is not cached (empty when it is).

    `outside` are the files among them that did not lie in the run's own folder.
    """

    outputs: tuple[Output, ...]
    staged: tuple[Staged, ...]
    uncached: str
    outside: tuple[str, ...] = ()


def take(artifacts: Artifacts, spec: NodeSpec, returned: Returned, run: bytes, folder: Path) -> Taken:
    """Stage what a node returned. Files are copied now, before anybody can change them.

    Raises:
        NodeFailedError: a file port was given something that is no file of this run's.
    """
    staged: list[Staged] = []
    try:
        return _take(artifacts, spec, returned, run, folder, staged)
    except BaseException:
        for item in staged:
            artifacts.discard(item)
        raise


def _take(
    artifacts: Artifacts, spec: NodeSpec, returned: Returned, run: bytes, folder: Path, staged: list[Staged]
) -> Taken:
    outputs, outside, uncached = [], [], ""
    own = folder.resolve()
    for port, component in spec.outputs.items():
        value = returned.values.get(port)
        if (source := _as_file(spec, port, component, value, returned, folder)) is not None:
            item = artifacts.stage_file(source, _file_name(port, component, source))
            if not source.is_relative_to(own) and not source.is_relative_to(folder):
                outside.append(str(source))
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
    return Taken(tuple(outputs), tuple(staged), uncached, tuple(outside))


def _as_file(
    spec: NodeSpec, port: str, component: Component | None, value: Any, returned: Returned, folder: Path
) -> Path | None:
    """The file that a value stands for, or None for a plain value."""
    if value is None:
        return None
    if component is None or not component.is_file:
        if component is None and (path := _own_path(value, folder)) is not None:
            return path
        if any(_own_path(item, folder) is not None for item in (value, *_items(value))):
            raise _refused(
                spec, port, "a text, list or dict with a file of this run in it, which daggr cannot keep yet"
            )
        return None
    given = value[0] if component.type == "image" and isinstance(value, (list, tuple)) and value else value
    if (path := _own_path(given, folder)) is not None:
        return path
    if is_picture(given):
        path = folder / f"{safe_name(port)}-{id(given):x}.png"
        given.save(path, format="PNG")
        return path
    if not isinstance(given, (str, Path)):
        raise _refused(spec, port, f"a {type(value).__name__}")
    return _outside_path(spec, port, str(given), returned)


def _own_path(value: Any, folder: Path) -> Path | None:
    """The file in the run's own folder that a value names: handed out by daggr, or written there by the function."""
    given = value.get("path") if isinstance(value, dict) else value
    if not isinstance(given, (str, Path)) or not str(given).startswith(f"{folder}{os.sep}"):
        return None
    path = Path(given).resolve()
    return path if path.is_relative_to(folder.resolve()) and path.is_file() else None


def _outside_path(spec: NodeSpec, port: str, given: str, returned: Returned) -> Path:
    """The file that a path on a file port names.

    Raises:
        NodeFailedError: it came in as text, names no file, or a file that daggr may not take.
    """
    if given in returned.texts:
        raise _refused(spec, port, f"the text {given!r}, which came in as text and does not become a file")
    path = Path(given).resolve()
    if not path.is_file():
        raise _refused(spec, port, f"{given!r}, where there is no file")
    if not _may_take(path):
        raise _refused(spec, port, f"{given!r}, which is outside of the working folder and the temporary folder")
    return path


def is_picture(value: Any) -> bool:
    """Whether this is a PIL image, told without importing PIL."""
    return hasattr(value, "save") and hasattr(value, "mode")


def _may_take(path: Path) -> bool:
    for root in (Path.cwd().resolve(), Path(tempfile.gettempdir()).resolve()):
        if path.is_relative_to(root):
            return not any(part.startswith(".") for part in path.relative_to(root).parts)
    return False


def _file_name(port: str, component: Component | None, source: Path) -> str:
    if component is None or component.type in NAMED_FILE_TYPES:
        return source.name
    return f"{port}{source.suffix}"


def _items(value: Any) -> Iterator[Any]:
    """Everything within lists and dicts, however deep, each container once."""
    waiting, seen = [value], {id(value)}
    while waiting:
        at = waiting.pop()
        children = at.values() if isinstance(at, dict) else at if isinstance(at, (list, tuple)) else ()
        for child in children:
            yield child
            if isinstance(child, (dict, list, tuple)) and id(child) not in seen:
                seen.add(id(child))
                waiting.append(child)


def _refused(spec: NodeSpec, port: str, what: str) -> NodeFailedError:
    return NodeFailedError(
        f"Output {port!r} of {spec.name!r} is {what}.",
        "A file output is the path of a file that exists, in the working or the temporary folder, or a PIL image.",
        spec.where,
        node=spec.name,
    )
