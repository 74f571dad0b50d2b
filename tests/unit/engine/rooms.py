"""A room to run functions in: a store, and folders that are open to scripts or not."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from daggr import FnNode, NodeFailedError
from daggr.engine import reach
from daggr.engine.outputs import Taken, take
from daggr.engine.runners.base import Call
from daggr.engine.runners.function import execute
from daggr.engine.workers.usercode import UserCode
from daggr.graph.nodes.base import spec_of
from daggr.store.codecs.fileref import FilePath
from daggr.store.records import new_id
from daggr.store.store import Store


@dataclass
class Room:
    """A store, and a place for scripts: a working folder, a temporary one, and one that is out of reach."""

    store: Store
    work: Path
    temp: Path
    elsewhere: Path
    allowed: list[Path] = field(default_factory=list)
    taken: Taken = field(default_factory=lambda: Taken((), (), ""))

    def run(self, fn: Callable[..., Any], outputs: Mapping[str, Any], **inputs: Any) -> dict[str, Any]:
        """Call a function with a copy of each input (a Path stands for a stored file), and load what was kept."""
        return self.keep(FnNode(fn, name="node", inputs=dict.fromkeys(inputs), outputs=outputs), **inputs)

    def keep(self, node: FnNode, **inputs: Any) -> dict[str, Any]:
        artifacts, spec = self.store.artifacts, spec_of(node)
        staged = {
            port: artifacts.stage_file(value) if isinstance(value, Path) else artifacts.stage(value)
            for port, value in inputs.items()
        }
        self.store.put(staged.values())
        with self.store.scratch() as folder:
            values = {port: self.store.load(item.digest, folder) for port, item in staged.items()}
            handed = {str(path): path.digest for path in paths_in(values)}
            started = time.time_ns()
            call = Call(spec, values, folder, print, lambda *_: None)
            returned = execute(call, UserCode())
            self.taken = take(artifacts, spec, returned, new_id(), folder, handed, started, self.allowed)
        self.store.put(self.taken.staged)
        return {output.port: self.store.load(output.digest, self.loaded()) for output in self.taken.outputs}

    def loaded(self) -> Path:
        return Path(tempfile.mkdtemp(dir=self.elsewhere))

    def digest(self, port: str = "out") -> bytes:
        return next(output.digest for output in self.taken.outputs if output.port == port)

    def refused(self, fn: Callable[..., Any], component: Any, **inputs: Any) -> NodeFailedError:
        with pytest.raises(NodeFailedError) as refusal:
            self.run(fn, {"out": component}, **inputs)
        assert refusal.value.message.startswith("Output 'out' of 'node' is ")
        return refusal.value

    def leftovers(self) -> list[Path]:
        """What lies in the folder for bytes that are on their way."""
        return [path for path in (self.store.root / "tmp").rglob("*") if path.is_file() and path.suffix != ".lock"]


def make_room(store: Store, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Room:
    """A room in a folder; from now on its folders are the working and the temporary one."""
    made = Room(store, folder / "work", folder / "temp", folder / "elsewhere")
    for part in (made.work, made.temp, made.elsewhere):
        part.mkdir()
    monkeypatch.chdir(made.work)
    monkeypatch.setattr(tempfile, "tempdir", str(made.temp))
    monkeypatch.setattr(reach, "_TEMPORARY", ())  # tests themselves lie in /tmp
    return made


def paths_in(value: Any) -> Iterator[FilePath]:
    if isinstance(value, FilePath):
        yield value
    elif isinstance(value, (list, tuple)):
        for part in value:
            yield from paths_in(part)
    elif isinstance(value, dict):
        yield from paths_in(list(value.values()))


def picture(path: Path, color: str = "red") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (3, 2), color).save(path)
    return path


def size(path: str | Path) -> tuple[int, int]:
    with Image.open(path) as opened:
        return opened.size


def text(path: Path, content: str = "content") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


def old(path: Path) -> Path:
    """Wait until a file is older than what is written from now on."""
    time.sleep(0.03)
    return path
