"""Globals that have no identity of their own: what their module does with them counts, or they are refused."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from daggr import FnNode
from daggr.engine.fingerprint.node import Fingerprint, node_fingerprint
from daggr.graph.nodes.base import spec_of
from tests.unit.engine.fingerprint.edits.edit import files
from tests.unit.engine.fingerprint.projects import imported, print_in

Prints = Callable[[str], Fingerprint]


@pytest.fixture
def print_of(tmp_path: Path) -> Prints:
    """The fingerprint of a node that calls `app.fn` of a project."""
    count = itertools.count()
    return lambda text: print_in(tmp_path / str(next(count)), files(text))


HEAD = """
import collections, http.client, json, pathlib, types
class Client(http.client.HTTPConnection): ...
G = http.client.HTTPConnection("a")
def fn(x): return G.timeout
"""


@pytest.mark.parametrize(
    "edits",
    [
        ("def setup(g): g.timeout = 5\nsetup(G)\n", "def setup(g): g.timeout = 6\nsetup(G)\n"),
        ("def setup(g, n): g.timeout = n\nsetup(G, 5)\n", "def setup(g, n): g.timeout = n\nsetup(G, 6)\n"),
        ("setattr(G, 'timeout', 5)\n", "setattr(G, 'timeout', 6)\n"),
        ("for i in [1, 2]: G.timeout = i\n", "for i in [1, 3]: G.timeout = i\n"),
        ("if json: G.timeout = 5\n", "if json: G.timeout = 6\n"),
        ("H = G\nH.timeout = 5\n", "H = G\nH.timeout = 6\n"),
    ],
)
def test_whatever_a_module_does_with_an_object_counts(print_of: Prints, edits: tuple[str, str]) -> None:
    one, other = (print_of(HEAD + edit) for edit in edits)
    assert one.digest != other.digest or (one.uncached and other.uncached)


@pytest.mark.parametrize(
    "rest",
    [
        "print(G)\n",
        "from daggr import FnNode, Graph\nnode = FnNode(fn, name='one', inputs={'x': G.port})\n",
        "from daggr import FnNode\nif __name__ == '__main__':\n    print(G)\n",
    ],
)
def test_making_nodes_and_printing_does_nothing_to_an_object(print_of: Prints, rest: str) -> None:
    plain, with_rest = print_of(HEAD), print_of(HEAD + rest)
    assert plain.uncached == with_rest.uncached == ""
    assert plain.digest == with_rest.digest


def test_another_module_that_changes_an_object_is_reason_not_to_cache(print_of: Prints) -> None:
    text = "import cfg, http.client\ncfg.G.timeout = 5\ndef fn(x): return cfg.G.timeout\n--- cfg.py\n"
    text += "import http.client\nG = http.client.HTTPConnection('a')\n"
    assert print_of(text).uncached


@pytest.mark.parametrize(
    "statement",
    [
        "G = http.client.HTTPConnection(pathlib.Path(NAME).read_text())",
        "def load():\n    with open(NAME) as file: return file.read()\n"
        "def make(): return http.client.HTTPConnection(load())\nG = make()",
    ],
)
def test_an_object_made_from_a_file_is_not_cached(print_of: Prints, tmp_path: Path, statement: str) -> None:
    (tmp_path / "host.txt").write_text("a")
    name = str(tmp_path / "host.txt")
    text = f"import http.client, pathlib\nNAME = {name!r}\n{statement}\ndef fn(x): return G.host\n"
    assert "HTTPConnection" in print_of(text).uncached


@pytest.mark.parametrize(
    "value",
    [
        "collections.Counter('aab')", "collections.UserDict(a=1)", "types.SimpleNamespace(a=1)", "range(3)",
        "string.Template('a $b')", "array.array('i', [1])", "argparse.Namespace(a=1)", "slice(1, 2)",
    ],
)  # fmt: skip
def test_data_of_the_standard_library_counts_by_its_content(print_of: Prints, value: str) -> None:
    head = "import argparse, array, collections, string, types\n"
    one = print_of(f"{head}for _ in [1]: G = {value}\ndef fn(x): return G\n")
    same = print_of(f"{head}H = 1\nif H: G = {value}\ndef fn(x): return G\n")
    other = value.replace("1", "7").replace("aab", "abb").replace("3", "7").replace("$b", "$c")
    assert one.uncached == ""
    assert one.digest == same.digest
    assert one.digest != print_of(f"{head}for _ in [1]: G = {other}\ndef fn(x): return G\n").digest


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("import json\njson.own = lambda x: 5\ndef fn(x): return json.own(x)\n", "x: 6"),
        ("import builtins\nbuiltins.my = lambda x: 5\ndef fn(x): return my(x)\n", "x: 6"),
        ("V = 5\ndef fn(x): return globals()['V']\n", "V = 6"),
    ],
)
def test_what_is_put_where_it_does_not_belong_counts(print_of: Prints, before: str, after: str) -> None:
    one = print_of(before)
    assert one.digest != print_of(before.replace(after.replace("6", "5"), after)).digest


def test_a_file_edited_between_its_import_and_the_first_look_is_not_taken_for_what_runs(tmp_path: Path) -> None:
    text = "import http.client\nG = http.client.HTTPConnection('a')\ndef fn(x): return G.host\n"
    with imported(tmp_path, files(text)) as app:
        node = FnNode(app.fn)
        for compiled in tmp_path.rglob("*.pyc"):
            compiled.unlink()
        later = time.time() + 5
        (tmp_path / "app.py").write_text(text.replace("'a'", "'b'"))
        os.utime(tmp_path / "app.py", (later, later))
        assert node_fingerprint(spec_of(node)).uncached


def test_a_list_that_is_nested_too_deep_is_refused_at_once(print_of: Prints) -> None:
    assert "nested too deep" in print_of("V = []\nfor _ in range(20000): V = [V]\ndef fn(x): return V\n").uncached
