"""A definition is the same wherever the code is: imported, run as a script, typed into a notebook, loaded again."""

from __future__ import annotations

import linecache
import os
import subprocess
import sys
import types
from pathlib import Path

import pytest

from daggr.engine.fingerprint.node import Fingerprint
from tests.unit.engine.fingerprint.edits.edit import Project, files
from tests.unit.engine.fingerprint.projects import imported, print_in, print_of_function, write

ROOT = Path(__file__).parents[4]

CELLS = [
    "import dataclasses, enum, functools\nRATE = 3\nWORDS = {'a', 'b', 'c'}\n",
    "class Base:\n    scale = 2\n    def apply(self, x): return x * self.scale\n"
    "class Model(Base):\n    def __init__(self, bias): self.bias = bias\n"
    "    def run(self, x): return super().apply(x) + self.bias\n",
    "@dataclasses.dataclass\nclass Point:\n    a: int = 1\nclass Color(enum.Enum):\n    RED = 1\n",
    "def h(x):\n    '''Add.'''\n    return x + RATE\nSTEPS = {'h': h, 'g': lambda x: x * 2}\nM = Model(bias=3)\n",
    "def twice(f):\n    @functools.wraps(f)\n    def inner(x): return f(x), f(x)\n    return inner\n",
    "@twice\ndef fn(x):\n    # all of it\n    total = [step(x) for step in STEPS.values()]\n"
    "    return total, M.run(x), Point(), Color.RED, sorted(WORDS)\n",
]
"""The cells of a notebook; together they are a module."""

SCRIPT = """
if __name__ == '__main__':
    from tests.unit.engine.fingerprint.projects import print_of_function
    found = print_of_function(fn)
    print(found.uncached or found.digest.hex())
"""


@pytest.fixture
def usual(tmp_path: Path) -> Fingerprint:
    """The fingerprint of the cells as an imported module."""
    found = print_in(tmp_path / "usual", {"app.py": "".join(CELLS)})
    assert found.uncached == ""
    return found


def typed(monkeypatch: pytest.MonkeyPatch, cells: list[str], name: str) -> types.ModuleType:
    """A notebook in which the cells have been run: `__main__` without a file, its sources known to linecache alone."""
    main = types.ModuleType("__main__")
    monkeypatch.setitem(sys.modules, "__main__", main)
    for number, cell in enumerate(cells):
        file = name.format(number)
        monkeypatch.setitem(linecache.cache, file, (len(cell), None, cell.splitlines(keepends=True), file))
        exec(compile(cell, file, "exec", dont_inherit=True), vars(main))
    return main


# ---------------------------------------------------------------- scripts


def printed_by(folder: Path, *command: str) -> str:
    """What a script prints."""
    return subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()


@pytest.mark.parametrize("command", [["app.py"], ["-m", "app"]], ids=["file", "module"])
def test_a_script_has_the_definitions_of_the_module(tmp_path: Path, usual: Fingerprint, command: list[str]) -> None:
    folder = write(tmp_path / "script", {"app.py": "".join(CELLS) + SCRIPT})
    assert printed_by(folder, *command) == usual.digest.hex()


def test_a_module_that_starts_itself_has_the_definitions_of_one_that_does_not(
    tmp_path: Path, usual: Fingerprint
) -> None:
    assert print_in(tmp_path, {"app.py": "".join(CELLS) + SCRIPT}).digest == usual.digest


def test_a_script_that_is_imported_by_its_own_module_has_the_same_definitions(tmp_path: Path) -> None:
    project = files("""
        import other
        RATE = 2
        def fn(x): return other.h(x)
        def back(x): return x * RATE
        --- other.py
        def h(x):
            import app
            return app.back(x)
    """)
    project = {**project, "app.py": project["app.py"] + SCRIPT}
    before = print_in(tmp_path / "module", project)
    assert before.uncached == ""
    folder = write(tmp_path / "script", project)
    assert printed_by(folder, "app.py") == before.digest.hex()


# ---------------------------------------------------------------- notebooks


@pytest.mark.parametrize("name", ["<ipython-input-{}-0123456789ab>", "/somewhere/ipykernel_4711/{}99887766.py"])
def test_a_notebook_has_the_definitions_of_the_module(
    monkeypatch: pytest.MonkeyPatch, usual: Fingerprint, name: str
) -> None:
    found = print_of_function(typed(monkeypatch, CELLS, name).fn)
    assert found.uncached == ""
    assert found.digest == usual.digest


def test_a_cell_that_is_run_again_changes_nothing(monkeypatch: pytest.MonkeyPatch, usual: Fingerprint) -> None:
    again = typed(monkeypatch, [*CELLS, CELLS[3], CELLS[5]], "<ipython-input-{}-0123456789ab>")
    assert print_of_function(again.fn).digest == usual.digest


def test_a_cell_that_is_edited_and_run_again_is_felt(monkeypatch: pytest.MonkeyPatch, usual: Fingerprint) -> None:
    edited = CELLS[3].replace("x + RATE", "x - RATE")
    again = typed(monkeypatch, [*CELLS, edited], "<ipython-input-{}-0123456789ab>")
    found = print_of_function(again.fn)
    assert found.uncached == ""
    assert found.digest != usual.digest


def test_a_cell_that_is_edited_and_not_run_is_not_felt(monkeypatch: pytest.MonkeyPatch, usual: Fingerprint) -> None:
    unlike = [*CELLS[:3], CELLS[3].replace("RATE\n", "RATE - 5\n"), *CELLS[3:]]
    assert print_of_function(typed(monkeypatch, unlike, "<ipython-input-{}-0>").fn).digest == usual.digest


# ---------------------------------------------------------------- code without a source


def made(source: str, name: str = "made_up") -> Fingerprint:
    """The fingerprint of `fn` of a text that was executed and is kept nowhere."""
    names: dict[str, object] = {"__name__": name}
    exec(source, names)
    return print_of_function(names["fn"])


def test_code_without_a_source_is_cached_and_the_same_each_time() -> None:
    one, other = made("def fn(x): return x + 1"), made("def fn(x): return x + 1")
    assert one.uncached == other.uncached == ""
    assert one.leaves == other.leaves
    assert one.digest == other.digest


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("def fn(x): return x + 1", "def fn(x): return x + 2"),
        ("def fn(x): return x + 1", "def fn(x): return x - 1"),
        ("def fn(x): return [x, 1]", "def fn(x): return [x, True]"),
        ("def fn(x): return x.a", "def fn(x): return x.b"),
        ("def fn(x): return 0.0", "def fn(x): return -0.0"),
        ("def fn(x): return (lambda: 1)()", "def fn(x): return (lambda: 2)()"),
        ("def fn(x, y=1): return y", "def fn(x, y=2): return y"),
        ("def fn(x, *, y=1): return y", "def fn(x, *, y=2): return y"),
        ("K = 1\ndef fn(x): return K", "K = 2\ndef fn(x): return K"),
        ("def h(): return 1\ndef fn(x): return h()", "def h(): return 2\ndef fn(x): return h()"),
        ("class C:\n    a = 1\ndef fn(x): return C.a", "class C:\n    a = 2\ndef fn(x): return C.a"),
        ("fn = lambda x: x + 1", "fn = lambda x: x + 2"),
        ("fn = [lambda x, n=n: x + n for n in (1, 2)][0]", "fn = [lambda x, n=n: x + n for n in (1, 2)][1]"),
        ("def fn(x): yield x", "def fn(x): return x"),
        ("def fn(x): return x in {'a', 'b'}", "def fn(x): return x in {'a', 'c'}"),
        ("def fn(x):\n try: x()\n except ValueError: return 1", "def fn(x):\n try: x()\n except KeyError: return 1"),
        ("def fn(x):\n try:\n  x()\n  x()\n except: return 1", "def fn(x):\n x()\n try:\n  x()\n except: return 1"),
    ],
)  # fmt: skip
def test_code_without_a_source_changes_when_the_code_does(before: str, after: str) -> None:
    assert made(before).digest != made(after).digest


def test_code_without_a_source_is_not_taken_for_a_file_of_the_same_name(tmp_path: Path) -> None:
    write(tmp_path, {"app.py": "def fn(x): return x + 2\n"})
    names: dict[str, object] = {"__name__": "app"}
    exec(compile("def fn(x): return x + 1\n", str(tmp_path / "app.py"), "exec"), names)
    with imported(tmp_path) as app:
        assert print_of_function(names["fn"]).digest != print_of_function(app.fn).digest


# ---------------------------------------------------------------- loaded again

ONE: Project = {"app.py": "from other import h\ndef fn(x): return h(x) + 1\n", "other.py": "def h(x): return x + 1\n"}
TWO: Project = {**ONE, "other.py": "def h(x): return x - 1\n"}
MOVED: Project = {**ONE, "other.py": "# why\n\n\nK = 5\ndef h(x): return x + 1\n"}


@pytest.fixture
def no_bytecode(monkeypatch: pytest.MonkeyPatch) -> None:
    """Modules come from their sources, whatever lies in `__pycache__`."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)


@pytest.mark.usefixtures("no_bytecode")
def test_a_project_that_is_edited_in_its_place_is_felt(tmp_path: Path) -> None:
    before = print_in(tmp_path / "place", ONE)
    after = print_in(tmp_path / "place", TWO)
    assert after.digest != before.digest
    assert after.digest == print_in(tmp_path / "elsewhere", TWO).digest


@pytest.mark.usefixtures("no_bytecode")
def test_an_edit_that_keeps_size_and_time_of_the_file_is_felt(tmp_path: Path) -> None:
    before = print_in(tmp_path, ONE)
    stat = (tmp_path / "other.py").stat()
    write(tmp_path, TWO)
    os.utime(tmp_path / "other.py", ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert (tmp_path / "other.py").stat().st_size == stat.st_size
    assert print_in(tmp_path, TWO).digest != before.digest


@pytest.mark.usefixtures("no_bytecode")
def test_a_project_whose_code_moves_in_its_place_keeps_its_definitions(tmp_path: Path) -> None:
    assert print_in(tmp_path, ONE).digest == print_in(tmp_path, MOVED).digest


@pytest.mark.usefixtures("no_bytecode")
@pytest.mark.parametrize("later", [TWO, MOVED], ids=["another body", "another place"])
def test_a_file_that_is_edited_after_the_import_is_not_taken_for_what_runs(tmp_path: Path, later: Project) -> None:
    with imported(tmp_path / "place", ONE) as app:
        write(tmp_path / "place", later)
        found = print_of_function(app.fn)
    assert found.digest != print_in(tmp_path / "elsewhere", TWO).digest


def test_two_functions_that_share_their_code_are_told_apart_by_what_they_hold(tmp_path: Path) -> None:
    maker = "def make(n, m):\n    def fn(x, y=m): return x + n + y + K\n    return fn\n"
    source = f"{maker}fns = [make(1, 1), make(2, 1), make(1, 2)]\n"
    first, second = files(f"K = 1\n{source}"), files(f"K = 2\n{source}")
    with imported(tmp_path / "1", first) as app:
        prints = [print_of_function(fn).digest for fn in app.fns]
    with imported(tmp_path / "2", second) as app:
        prints += [print_of_function(fn).digest for fn in app.fns]
    assert len(set(prints)) == 6
