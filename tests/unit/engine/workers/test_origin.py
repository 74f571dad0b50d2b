"""Where another process finds the script of a function."""

from __future__ import annotations

import math
import subprocess
import sys
import types
from pathlib import Path

import pytest

from daggr.engine.script import origin_of

SHOW = """
from daggr.engine.script import origin_of
def f(): ...
if __name__ == "__main__":
    origin = origin_of(f)
    print(origin and (origin.path.name, origin.argv[1:], origin.module, origin.is_main))
"""


def shown(folder: Path, *arguments: str, given: str | None = None) -> str:
    root = str(Path(__file__).parents[4])
    run = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={"PYTHONPATH": root, "PATH": "/usr/bin:/bin"},
        input=given,
        capture_output=True,
        text=True,
        check=True,
    )
    return run.stdout.strip()


def test_a_script(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(SHOW)
    assert shown(tmp_path, "app.py", "--flag") == "('app.py', ('--flag',), '', True)"


def test_a_module_that_is_run_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "__init__.py").touch()
    (tmp_path / "package" / "app.py").write_text(SHOW)
    assert shown(tmp_path, "-m", "package.app") == "('app.py', (), 'package.app', True)"


@pytest.mark.parametrize("how", [("-c", SHOW), ("-",)])
def test_what_was_typed_has_none(tmp_path: Path, how: tuple[str, ...]) -> None:
    assert shown(tmp_path, *how, given=SHOW if how == ("-",) else None) == "None"


def test_a_function_of_an_imported_module_when_no_script_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "__main__", types.ModuleType("__main__"))
    origin = origin_of(shown)
    assert origin is not None
    assert (origin.path, origin.module, origin.is_main) == (Path(__file__), __name__, False)
    assert origin_of(math.sqrt) is None
