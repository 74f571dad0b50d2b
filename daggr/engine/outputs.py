"""What a node gave, turned into artifacts: which values and texts become files, and which values stay in memory."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

from daggr.digest import MAX_DEPTH, Digest, UnencodableError, digest
from daggr.engine.gradio_values import processed, saved
from daggr.engine.reach import Reach, Refusal
from daggr.engine.runners.base import Returned
from daggr.errors import DaggrError, NodeFailedError
from daggr.filename import readable
from daggr.graph.component import NAMED_FILE_TYPES, Component
from daggr.graph.nodes.base import NodeSpec
from daggr.store.artifacts import Artifacts, Staged
from daggr.store.codecs.fileref import FileRef
from daggr.store.records import Output

LISTS = frozenset({"gallery", "imageslider"})
"""Components whose value is a list of media."""

_VALID = {
    "audio": "the path of a file, or a pair (sample rate, array)",
    "image": "the path of a file, a PIL image, an array or a figure",
    "gallery": "a list of paths, PIL images or arrays, each alone or in a pair (picture, caption)",
    "imageslider": "a pair of paths, PIL images or arrays",
    "plot": "a figure of matplotlib, plotly, bokeh or altair",
}
_WHERE = (
    "A path counts if its file exists and lies in the working folder (hidden files excepted), a temporary folder or "
    "one of `allowed_paths`, and did not come in as text."
)
_RANDOM_NAME = re.compile(r"tmp[a-z0-9_]{8}(\.|$)")
"""Names that `tempfile` makes: another one for each run, so they would make each file another one."""

_LEAVES = frozenset((int, float, bool, bytes, type(None)))
_BUSY = object()


@dataclass(frozen=True)
class Taken:
    """The outputs of a run, the artifacts to put, and why the run is not cached (empty when it is).

    `outside` are the files among them that did not lie in the run's own folder.
    """

    outputs: tuple[Output, ...]
    staged: tuple[Staged, ...]
    uncached: str
    outside: tuple[str, ...] = ()


def take(  # noqa: PLR0913, PLR0917  (all that the engine knows of the run)
    artifacts: Artifacts,
    spec: NodeSpec,
    returned: Returned,
    run: bytes,
    folder: Path,
    handed: Mapping[str, Digest | bytes],
    started_ns: int,
    allowed: Sequence[Path] = (),
) -> Taken:
    """Stage what a node returned. Files are copied now, before anybody can change them.

    Args:
        artifacts: Where to.
        spec: The node.
        returned: What it gave, and the texts that never become files.
        run: The run's id.
        folder: The run's own folder; everything in it is its own.
        handed: The paths that the run was given, with the digests of their artifacts.
        started_ns: When it began, by `time.time_ns()`.
        allowed: Folders whose files it may give, beside the working folder and the temporary ones.

    Raises:
        NodeFailedError: a file port was given something that is no file of this run's.
    """
    taking = _Taking(artifacts, spec, run, folder, Reach(folder, returned.texts, handed, started_ns, allowed))
    try:
        for port, component in spec.outputs.items():
            taking.take(port, component, returned.values.get(port))
    except BaseException:
        for item in taking.staged:
            artifacts.discard(item)
        raise
    return Taken(tuple(taking.outputs), tuple(taking.staged), taking.uncached, tuple(taking.outside))


class _Taking:
    """The outputs of one run, as far as they have been taken."""

    def __init__(self, artifacts: Artifacts, spec: NodeSpec, run: bytes, folder: Path, reach: Reach) -> None:
        self.outputs: list[Output] = []
        self.staged: list[Staged] = []
        self.uncached = ""
        self.outside: dict[str, None] = {}
        self._artifacts = artifacts
        self._spec = spec
        self._run = run
        self._folder = folder
        self._reach = reach
        self._files: dict[tuple[Path, str], FileRef] = {}
        self._seen: dict[int, Any] = {}

    def take(self, port: str, component: Component | None, value: Any) -> None:
        """Take the value of a port."""
        try:
            stored = _Media(self, port, component).stored(value) if _is_media(component) else self._plain(port, value)
            if isinstance(stored, FileRef):
                self.outputs.append(Output(port, stored.digest))
                return
            item = self._artifacts.stage(stored)
        except Refusal as refusal:
            raise self._refused(port, component, str(refusal)) from refusal
        except UnencodableError as error:
            identity = digest("volatile", self._run, port.encode())
            self._artifacts.keep(identity, value)
            self.outputs.append(Output(port, identity))
            self.uncached = self.uncached or f"not cached: port {port} holds a {error.kind}"
            return
        self.staged.append(item)
        self.outputs.append(Output(port, item.digest))

    def file(self, source: Path, name: str, *, made: bool = False) -> FileRef:
        """Take a file; `made` by daggr itself."""
        if (known := self._files.get((source, name))) is not None:
            return known
        item = self._artifacts.stage_file(source, name)
        self.staged.append(item)
        if not made and not self._reach.is_own(source):
            self.outside[str(source)] = None
        return self._files.setdefault((source, name), FileRef(item.digest))

    def named(self, value: str | PurePath) -> Path:
        """The file that a path on a media port names."""
        return self._reach.given(value)

    def folder(self) -> Path:
        """A new folder within the run's own."""
        self._folder.mkdir(parents=True, exist_ok=True)
        return Path(tempfile.mkdtemp(prefix="made-", dir=self._folder))

    # ------------------------------------------------------------ values that are no media

    def _plain(self, port: str, value: Any) -> Any:
        self._seen.clear()
        return self._referring(port, value, 0)

    def _referring(self, port: str, value: Any, depth: int) -> Any:
        """A value with references in place of the texts that name files of this run; the same object if there are none.

        What is nested too deeply is left as it is: it will not be encoded.

        Raises:
            UnencodableError: it holds itself. (Encoding it could take for ever.)
        """
        if isinstance(value, (str, PurePath)):
            path = self._reach.meant(value)
            return value if path is None else self.file(path, _own_name(port, path))
        kind = type(value)
        if kind not in (list, tuple, dict) or depth > MAX_DEPTH:
            return value
        if (known := self._seen.get(id(value))) is not None:
            if known is _BUSY:
                raise UnencodableError(value, "which holds itself")
            return known
        self._seen[id(value)] = _BUSY
        parts = list(value.values() if kind is dict else value)
        new = [part if type(part) in _LEAVES else self._referring(port, part, depth + 1) for part in parts]
        made = value
        if any(now is not was for now, was in zip(new, parts, strict=True)):
            made = dict(zip(value, new, strict=True)) if kind is dict else kind(new)
        self._seen[id(value)] = made
        return made

    def _refused(self, port: str, component: Component | None, what: str) -> NodeFailedError:
        valid = _VALID.get(component.type if component is not None else "", "the path of a file")
        return NodeFailedError(
            readable(f"Output {port!r} of {self._spec.name!r} is {what}."),
            f"It takes {valid}. {_WHERE}"
            if component is not None and component.type != "plot"
            else f"It takes {valid}.",
            self._spec.where,
            node=self._spec.name,
        )


class _Media:
    """What is given to a port whose component shows files."""

    def __init__(self, taking: _Taking, port: str, component: Component | None) -> None:
        if component is None:
            raise AssertionError(f"{port} has no component")
        self._taking = taking
        self._port = port
        self._component = component

    def stored(self, value: Any) -> Any:
        """What is stored: a reference for one file, a list with references for several; JSON for a plot.

        Raises:
            Refusal: it does not become what the port shows.
        """
        kind = self._component.type
        value = _dumped(value)
        if value is None:
            return None
        if kind == "plot":
            return self._plot(value)
        if kind in LISTS and isinstance(value, (list, tuple)):
            return type(value)([self._part(part) for part in value])
        if kind in NAMED_FILE_TYPES and isinstance(value, (list, tuple)):
            return type(value)([self._one(part) for part in value])
        return self._one(value)

    def _plot(self, value: Any) -> Any:
        if isinstance(value, dict) and "plot" in value:
            return value
        try:
            return processed(self._component, value, self._taking.folder())
        except DaggrError:
            raise
        except Exception as error:  # whatever drew it has its own
            raise Refusal(f"a {_kind(value)}, which is no plot ({type(error).__name__}: {error})") from error

    def _part(self, value: Any) -> Any:
        """A picture of a gallery, alone or with its caption; the shape stays as it is."""
        value = _dumped(value)
        if isinstance(value, (list, tuple)):
            return type(value)([self._part(value[0]), *value[1:]]) if value else value
        if isinstance(value, dict) and not isinstance(value.get("path"), str):
            for name in ("image", "video"):
                if value.get(name) is not None:
                    return {**value, name: self._part(value[name])}
        if isinstance(value, dict) and isinstance(value.get("path"), str):
            return {**value, "path": self._one(value)}
        return None if value is None else self._one(value)

    def _one(self, value: Any) -> FileRef | None:
        """One file. Of a list on an image port it is the first."""
        value = _dumped(value)
        if value is None:
            return None
        if self._component.type in ("image", "video") and isinstance(value, (list, tuple)):
            return self._one(value[0]) if value else None
        if isinstance(value, dict):
            return self._of_dict(value)
        if isinstance(value, (str, PurePath)):
            return self._file(self._taking.named(value))
        folder = self._taking.folder()
        try:
            path = saved(self._component, value, folder)
        except DaggrError:
            raise
        except Exception as error:  # whatever made it has its own
            raise Refusal(f"a {_kind(value)}, which cannot be saved ({type(error).__name__}: {error})") from error
        if path is None:
            raise Refusal(f"a {_kind(value)}")
        return self._file(path, made=True)

    def _of_dict(self, value: dict[Any, Any]) -> FileRef | None:
        """The file of Gradio's way to speak of one."""
        if isinstance(path := value.get("path"), str):
            try:
                return self._file(self._taking.named(path))
            except Refusal as refusal:
                raise Refusal(f"a dict with the path of {refusal}") from refusal
        for name in ("image", "video"):
            if value.get(name) is not None:
                return self._one(value[name])
        raise Refusal("a dict without a path")

    def _file(self, path: Path, *, made: bool = False) -> FileRef:
        named = self._component.type in NAMED_FILE_TYPES
        return self._taking.file(path, path.name if named else f"{self._port}{path.suffix}", made=made)


def _is_media(component: Component | None) -> bool:
    return component is not None and (component.is_file or component.type in LISTS or component.type == "plot")


def _dumped(value: Any) -> Any:
    """Gradio's own classes of files and galleries as the dicts and lists they stand for."""
    if type(value).__module__.startswith("gradio") and callable(getattr(value, "model_dump", None)):
        return value.model_dump()
    return value


def _own_name(port: str, path: Path) -> str:
    return f"{port}{path.suffix}" if _RANDOM_NAME.match(path.name) else path.name


def _kind(value: Any) -> str:
    return type(value).__name__
