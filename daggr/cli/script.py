"""Reading a user's script: it runs as `__main__`, and `launch()` only tells which graph it is."""

from __future__ import annotations

import sys
import traceback
import types
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from daggr import runtime
from daggr.errors import ConfigError, DaggrError, did_you_mean
from daggr.graph.graph import Graph
from daggr.graph.nodes.base import Node

COMMANDS = ("gc", "fsck", "store")

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

    def test(self, node: Node, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """Test for real."""
        return self._real.test(node, inputs)


def load_script(path: Path, real: runtime.Runtime) -> Loaded:
    """Run a script and find its graph: the one it launches, else the only one it makes.

    Raises:
        ScriptError: it is not there, is not Python, fails, or has no graph or several.
    """
    code = _compile(path)
    module = types.ModuleType("__main__")
    module.__file__ = str(path)
    sys.modules["__main__"] = module
    sys.argv = [str(path)]
    sys.path.insert(0, str(path.resolve().parent))
    capture = Capture(real)
    with runtime.installed(capture):
        try:
            exec(code, module.__dict__)
        except DaggrError as error:
            raise ScriptError(f"{path.name}: {error.message}", error.hint, error.where) from error
        except (Exception, SystemExit) as error:
            raise ScriptError(_user_trace(path, error)) from error
    return _choose(path, capture.launched, vars(module))


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


def unknown_word(word: str) -> ConfigError | None:
    """An error for a word that is no script, such as a command that this version does not have."""
    if word.endswith(".py") or "/" in word or "\\" in word or Path(word).exists():
        return None
    hint = did_you_mean(word, COMMANDS) or f"Commands: {', '.join(COMMANDS)}. To serve a script: daggr app.py"
    return ConfigError(f"daggr has no command {word!r} and there is no such script.", hint)
