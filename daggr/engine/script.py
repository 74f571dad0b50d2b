"""Running a user's script to get at what it draws. It runs as `__main__`; what it asks of daggr is only noted."""

from __future__ import annotations

import gc
import importlib
import importlib.util
import sys
import traceback
import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from daggr import runtime
from daggr.engine.fingerprint.ownership import is_own_file
from daggr.errors import DaggrError, did_you_mean
from daggr.graph.drawing import Drawing
from daggr.graph.graph import Graph, drawing_of
from daggr.graph.nodes.base import Node, NodeSpec, spec_of

_PACKAGE = str(Path(__file__).resolve().parents[1])


class ScriptError(DaggrError):
    """The script cannot be used; the message is all a person needs."""


@dataclass(frozen=True)
class Loaded:
    """The graph of a script and the options it launches it with."""

    graph: Graph
    options: Mapping[str, Any]


class Capture:
    """A runtime that notes what is launched, and leaves everything else to the real one."""

    def __init__(self, real: runtime.Runtime) -> None:
        self._real = real
        self.launched: list[Loaded] = []

    def launch(self, graph: Graph, options: Mapping[str, Any]) -> None:
        """Note a launch."""
        self.launched.append(Loaded(graph, options))

    def run(self, graph: Graph, inputs: Mapping[str, Any], cache: str) -> dict[str, dict[str, Any]]:
        """Run for real: a script may need the result."""
        return self._real.run(graph, inputs, cache)

    async def arun(self, graph: Graph, inputs: Mapping[str, Any], cache: str) -> dict[str, dict[str, Any]]:
        """Run for real."""
        return await self._real.arun(graph, inputs, cache)

    def test(self, node: Node, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """Test for real."""
        return self._real.test(node, inputs)


def load_script(path: Path, real: runtime.Runtime) -> Loaded:
    """Run a script and find its graph: the one it launches, else the only one it makes.

    Raises:
        ScriptError: it is not there, is not Python, fails, or has no graph or several.
    """
    code, module = _compile(path), _as_main(path)
    sys.argv = [str(path)]
    sys.path.insert(0, str(path.resolve().parent))
    capture = Capture(real)
    with runtime.installed(capture):
        _execute(path, code, module)
    return _choose(path, capture.launched, vars(module))


# ---------------------------------------------------------------- elsewhere


@dataclass(frozen=True)
class Origin:
    """How another process gets at a node: the script that makes it.

    Attributes:
        path: The script.
        argv: What the script was started with.
        module: Its name, where it is not run by its path: `python -m name`, or a module that is imported.
        is_main: Whether it is what the process was started with, and not imported.
    """

    path: Path
    argv: tuple[str, ...]
    module: str = ""
    is_main: bool = True


def origin_of(function: Any) -> Origin | None:
    """Where another process finds a function's node: the script that runs, else the module that the function is in.

    None if there is no file to load, as in notebooks and the REPL.
    """
    main = sys.modules.get("__main__")
    if (path := _own_file(main)) is not None:
        spec = getattr(main, "__spec__", None)
        return Origin(path, tuple(sys.argv), spec.name if spec is not None else "")
    name = getattr(function, "__module__", None) or type(function).__module__
    path = None if name == "__main__" else _own_file(sys.modules.get(name))
    return None if path is None else Origin(path, tuple(sys.argv), name, is_main=False)


def _own_file(module: types.ModuleType | None) -> Path | None:
    given = getattr(module, "__file__", None)
    if not isinstance(given, str) or not is_own_file(given):
        return None
    path = Path(given).absolute()
    return path if path.is_file() else None


class _Reached(BaseException):
    """The script has come to where it would run the wanted node. Nobody catches this but the loader."""


@dataclass
class Search:
    """A runtime under which nothing runs. It ends the script when the script wants to run what is looked for.

    Attributes:
        wanted: The name of a node; empty for any.
        drawings: What the script would have run.
        alone: Nodes that the script would have tested.
    """

    wanted: str
    drawings: list[Drawing] = field(default_factory=list)
    alone: dict[str, NodeSpec] = field(default_factory=dict)

    def launch(self, graph: Graph, options: Mapping[str, Any]) -> None:
        """End the script if this is the graph; a script may launch others before."""
        drawing = drawing_of(graph)
        self.drawings.append(drawing)
        if not self.wanted or self.wanted in drawing.nodes:
            raise _Reached

    def run(self, graph: Graph, inputs: Mapping[str, Any], cache: str) -> NoReturn:
        """End the script: there is no result that it could go on with."""
        self.drawings.append(drawing_of(graph))
        raise _Reached

    async def arun(self, graph: Graph, inputs: Mapping[str, Any], cache: str) -> NoReturn:
        """End the script."""
        self.run(graph, inputs, cache)

    def test(self, node: Node, inputs: Mapping[str, Any]) -> NoReturn:
        """End the script."""
        self.alone[node.name] = spec_of(node)
        raise _Reached


def search_script(origin: Origin, wanted: str, path: Sequence[str]) -> Search:
    """Run a script in a process of its own, for its drawings: nothing is served, run or tested.

    Args:
        origin: The script.
        wanted: The script ends where it would run the graph with this node; empty for any graph.
        path: Where modules are looked for.

    Raises:
        ScriptError: it is not there, is not Python, or fails.
    """
    sys.argv, sys.path[:] = list(origin.argv), list(path)
    search = Search(wanted)
    names: Mapping[str, Any] = {}
    with runtime.installed(search):
        try:
            if origin.is_main:
                code, module = _compile(origin.path), _as_main(origin.path, origin.module)
                names = vars(module)
                _execute(origin.path, code, module)
            else:
                names = vars(_imported(origin))
        except _Reached:
            pass
        except ScriptError:
            if not search.drawings:  # else it was interrupted and did not like it
                raise
    # in any list; `isinstance` would ask a weak proxy whose object is gone
    search.drawings += [drawing_of(graph) for graph in gc.get_objects() if issubclass(type(graph), Graph)]
    nodes = [value for value in names.values() if issubclass(type(value), Node)]
    search.alone |= {node.name: spec_of(node) for node in nodes if node.name not in search.alone}
    return search


def _imported(origin: Origin) -> types.ModuleType:
    try:
        return importlib.import_module(origin.module)
    except (Exception, SystemExit) as error:
        raise ScriptError(_user_trace(origin.path, error)) from error


# ---------------------------------------------------------------- running it


def _as_main(path: Path, name: str = "") -> types.ModuleType:
    module = types.ModuleType("__main__")
    module.__file__ = str(path)
    if name and (spec := importlib.util.find_spec(name)) is not None:
        module.__spec__, module.__package__ = spec, spec.parent
    sys.modules["__main__"] = module
    return module


def _execute(path: Path, code: types.CodeType, module: types.ModuleType) -> None:
    try:
        exec(code, module.__dict__)
    except DaggrError as error:
        raise ScriptError(f"{path.name}: {error.message}", error.hint, error.where) from error
    except (Exception, SystemExit) as error:
        raise ScriptError(_user_trace(path, error)) from error


def _compile(path: Path) -> types.CodeType:
    if not path.exists():
        raise ScriptError(f"There is no script {str(path)!r}.", _neighbours(path))
    if path.is_dir():
        raise ScriptError(f"{str(path)!r} is a folder; give a script in it.", _neighbours(path / "app.py"))
    try:
        return compile(path.read_bytes(), str(path), "exec", dont_inherit=True)
    except SyntaxError as error:
        place = f"{path.name}:{error.lineno}" if error.lineno else path.name
        line = f"\n    {error.text.strip()}" if error.text else ""
        raise ScriptError(f"{place} is not Python: {error.msg}.{line}") from None
    except ValueError as error:
        raise ScriptError(f"{path.name} is not Python: {error}.") from None


def _choose(path: Path, launched: list[Loaded], names: Mapping[str, Any]) -> Loaded:
    if launched:
        return launched[0]
    graphs = {id(value): (name, value) for name, value in names.items() if isinstance(value, Graph)}
    if not graphs:
        raise ScriptError(f"{path.name} makes no Graph.", "Add `Graph('My workflow', nodes=[…]).launch()` at its end.")
    if len(graphs) > 1:
        found = ", ".join(name for name, _ in graphs.values())
        raise ScriptError(
            f"{path.name} makes several graphs ({found}) and launches none.", "Call .launch() on one of them."
        )
    return Loaded(next(iter(graphs.values()))[1], {})


def _neighbours(path: Path) -> str:
    from_here = sorted(found.name for found in path.parent.glob("*.py")) if path.parent.is_dir() else []
    if not from_here:
        return ""
    scripts = f"Scripts in {str(path.parent)!r}: {', '.join(from_here[:8])}{' …' if len(from_here) > 8 else ''}"
    return f"{scripts}\n{did_you_mean(path.name, from_here)}".rstrip()


def _user_trace(path: Path, error: BaseException) -> str:
    """What failed and where, in the user's own lines only."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith(_PACKAGE)]
    kind = "ended itself" if isinstance(error, SystemExit) else type(error).__name__
    lines = [f"{path.name} failed: {kind}: {error}"]
    lines += [f"  {Path(frame.filename).name}:{frame.lineno}  {frame.line or ''}" for frame in frames[-6:]]
    return "\n".join(lines)
