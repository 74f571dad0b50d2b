"""Each third party has its rooms, and each rule of importing is held by reading the source.

Floors (who may import whom inside daggr) are import-linter's; see `[tool.importlinter]` in pyproject.toml.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.source import ROOT, Import, imports, python_files, walk

RUNNERS = ("daggr/engine/runners/", "daggr/engine/hub/")
SERVER = ("daggr/server/", "daggr/wiring.py")
CODECS = ("daggr/store/codecs/",)
PROGRAMS = ("daggr/testing/loopback.py",)
"""Started as programs of their own, imported by nothing."""
KIT = ("daggr/testing/patching.py",)
FENCES: dict[str, tuple[str, ...]] = {
    "lmdb": ("daggr/store/environment.py", "daggr/store/index.py", "daggr/store/tables.py"),
    "fsspec": ("daggr/store/backends/",),
    "litestar": SERVER,
    "uvicorn": SERVER,
    "starlette": (),
    "fastapi": (),
    "typer": ("daggr/cli/",),
    "click": ("daggr/cli/",),
    "rich": ("daggr/cli/",),
    "gradio_client": RUNNERS,
    "httpx": RUNNERS,
    "huggingface_hub": (*RUNNERS, *KIT),
    "requests": (),
    "numpy": CODECS,
    "pandas": CODECS,
    "PIL": (*CODECS, *PROGRAMS),
    "torch": CODECS,
    "safetensors": CODECS,
    "pickle": (),
    "cloudpickle": (),
    "dill": (),
    "joblib": (),
    "shelve": (),
}
"""Package → the only files and folders that may import it. None: nobody, ever."""

LAZY: dict[tuple[str, str], str] = {
    ("daggr/", "gradio"): "takes seconds to import, so the few who need it ask for it when they do",
    ("daggr/engine/tracing.py", "opentelemetry"): "it need not be installed",
    ("daggr/engine/runners/gradio/older.py", "gradio_client"): "hardly any app speaks so old a protocol",
    (
        "daggr/engine/runners/inference/runner.py",
        "daggr.engine.runners.inference.line",
    ): "huggingface_hub's client takes 0.4 s",
    ("daggr/wiring.py", "uvicorn"): "graph.run() needs no server",
    ("daggr/wiring.py", "litestar"): "graph.run() needs no server",
    ("daggr/wiring.py", "daggr.server"): "graph.run() needs no server",
}
"""(Where, what) may be imported inside a function, and why. Any other such import dodges the floors."""

ENVIRONMENT = ("environ", "environb", "getenv", "putenv", "unsetenv")


def inside(path: str, rooms: tuple[str, ...]) -> bool:
    return any(path == room or (room.endswith("/") and path.startswith(room)) for room in rooms)


def of(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


def all_imports() -> list[Import]:
    return [found for path in python_files() for found in imports(path)]


@pytest.mark.parametrize("package", FENCES)
def test_third_parties_stay_in_their_rooms(package: str) -> None:
    out = [
        found.place for found in all_imports() if of(found.module, package) and not inside(found.path, FENCES[package])
    ]
    assert not out, f"{package} may only be imported in {', '.join(FENCES[package]) or 'no file'}, not in {out}"


def test_gradio_is_never_imported_with_a_module() -> None:
    eager = [
        found.place
        for found in all_imports()
        if found.package == "gradio" and not found.in_function and not found.types_only and found.path not in PROGRAMS
    ]
    assert not eager, f"gradio takes seconds to import; import it where it is used, not at the top of {eager}"


def test_no_import_hides_in_a_function() -> None:
    hidden = [
        f"{found.place} imports {found.module}"
        for found in all_imports()
        if found.in_function and not found.is_stdlib and not _may_be_lazy(found)
    ]
    assert not hidden, f"import at the top of the file, or give the reason in LAZY: {hidden}"


def _may_be_lazy(found: Import) -> bool:
    return any(inside(found.path, (where,)) and of(found.module, what) for where, what in LAZY)


def test_imports_are_absolute() -> None:
    relative = [found.place for found in all_imports() if found.module.startswith(".")]
    assert not relative, f"write the whole name of the module: {relative}"


def test_nothing_inside_imports_the_public_face() -> None:
    rooms = {path.name.removesuffix(".py") for path in (ROOT / "daggr").iterdir()}
    face = [
        found.place
        for found in all_imports()
        if found.module == "daggr" and (not found.names or not set(found.names) <= rooms)
    ]
    assert not face, f"import from the module that defines the name, not from daggr: {face}"


def test_only_config_reads_the_environment() -> None:
    readers = [
        f"{path}:{node.lineno}"  # type: ignore[attr-defined]
        for path in python_files()
        if path != "daggr/config.py"
        for node, _, _ in walk(path)
        if _touches_environment(node)
    ]
    assert not readers, f"settings come from daggr/config.py, the environment's only reader: {readers}"


def _touches_environment(node: ast.AST) -> bool:
    if isinstance(node, ast.Attribute):
        return node.attr in ENVIRONMENT and isinstance(node.value, ast.Name) and node.value.id == "os"
    return (
        isinstance(node, ast.ImportFrom)
        and node.module == "os"
        and any(alias.name in ENVIRONMENT for alias in node.names)
    )


def test_floors() -> None:
    command = Path(sys.executable).parent / "lint-imports"
    result = subprocess.run([command, "--no-cache", "--no-logo"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
