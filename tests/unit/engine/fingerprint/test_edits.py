"""Edits of a user's file: which ones make a result another, and which ones do not.

Every edit is two little projects. Both are imported anew, from folders of their own, and the fingerprints of `app.fn`
are compared.
"""

from __future__ import annotations

import importlib
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from daggr import FnNode
from daggr.engine.fingerprint.node import Fingerprint, node_fingerprint
from daggr.graph.nodes.base import spec_of
from tests.handmade import Field, Number
from tests.unit.engine.fingerprint.edits import (
    CLASS,
    IN_FUNCTION,
    MUST_CHANGE,
    MUST_CHANGE_OR_BE_REFUSED,
    MUST_NOT_CHANGE,
    OTHER,
    Project,
)


@contextmanager
def imported(folder: Path, project: Project) -> Iterator[Any]:
    """The module `app` of a project; all its modules are forgotten afterwards."""
    files = {"app.py": project} if isinstance(project, str) else project
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    before = set(sys.modules)
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    try:
        yield importlib.import_module("app")
    finally:
        sys.path.remove(str(folder))
        for name in set(sys.modules) - before:
            if str(getattr(sys.modules[name], "__file__", None) or folder).startswith(str(folder)):
                del sys.modules[name]


Prints = Callable[[Project], Fingerprint]


@pytest.fixture
def print_of(tmp_path: Path) -> Prints:
    """The fingerprint of a node that calls `app.fn` of a project."""
    count = iter(range(99))

    def fingerprint(project: Project) -> Fingerprint:
        with imported(tmp_path / str(next(count)), project) as app:
            return node_fingerprint(spec_of(FnNode(app.fn)))

    return fingerprint


@pytest.mark.parametrize(("before", "after"), MUST_CHANGE + MUST_CHANGE_OR_BE_REFUSED)
def test_an_edit_that_can_be_felt_makes_another_definition(print_of: Prints, before: Project, after: Project) -> None:
    one, other = print_of(before), print_of(after)
    unchanged = one.digest == other.digest and not (one.uncached and other.uncached)
    assert not unchanged, "a stale result would be served"


@pytest.mark.parametrize(("before", "after"), MUST_NOT_CHANGE)
def test_an_edit_that_cannot_be_felt_keeps_the_definition(print_of: Prints, before: Project, after: Project) -> None:
    one, other = print_of(before), print_of(after)
    assert one.uncached == other.uncached == ""
    assert one.leaves == other.leaves
    assert one.digest == other.digest


@pytest.mark.parametrize("project", [pytest.param(case.values[0], id=case.id) for case in MUST_CHANGE])
def test_code_of_ones_own_is_cached(print_of: Prints, project: Project) -> None:
    assert print_of(project).uncached == ""


def test_two_lambdas_on_one_line_differ(tmp_path: Path) -> None:
    with imported(tmp_path, "a, b, c = lambda x: x + 1, lambda x: x + 2, lambda x: x + 1\n") as app:
        prints = [node_fingerprint(spec_of(FnNode(fn))).digest for fn in (app.a, app.b, app.c)]
    assert prints[0] != prints[1]
    assert prints[0] == prints[2]


def test_lambdas_of_a_loop_differ_by_what_they_captured(tmp_path: Path) -> None:
    with imported(tmp_path, "fns = [(lambda n: lambda x: x + n)(n) for n in (1, 2, 1, True)]\n") as app:
        prints = [node_fingerprint(spec_of(FnNode(fn))).digest for fn in app.fns]
    assert len(set(prints)) == 3
    assert prints[0] == prints[2]


def test_names_labels_and_values_shown_are_no_part_of_a_definition(tmp_path: Path) -> None:
    with imported(tmp_path, "def fn(x):\n    return x\n") as app:
        plain = node_fingerprint(spec_of(FnNode(app.fn, inputs={"x": Field()}, outputs={"y": Field(label="Y")})))
        named = FnNode(app.fn, name="Another", inputs={"x": 3}, outputs={"y": Field("shown", label="Result")})
        assert node_fingerprint(spec_of(named)).digest == plain.digest


def test_ports_hooks_and_what_shapes_the_values_are_part_of_a_definition(tmp_path: Path) -> None:
    with imported(tmp_path, "def fn(x):\n    return x\n") as app:
        made = [
            FnNode(app.fn, outputs={"y": Number(precision=1)}),
            FnNode(app.fn, outputs={"y": Number(precision=2)}),
            FnNode(app.fn, outputs={"y": Field()}),
            FnNode(app.fn, outputs={"y": None}),
            FnNode(app.fn, outputs={"z": None}),
            FnNode(app.fn, outputs={"y": None, "z": None}),
            FnNode(app.fn, outputs={"z": None, "y": None}),
            FnNode(app.fn, outputs={"y": None}, preprocess=lambda inputs: inputs),
            FnNode(app.fn, outputs={"y": None}, postprocess=lambda inputs: inputs),
            FnNode(app.fn, outputs={"y": None}, postprocess=lambda value: [value]),
        ]
        assert len({node_fingerprint(spec_of(one)).digest for one in made}) == len(made)


# ---------------------------------------------------------------- what cannot be vouched for


@pytest.mark.parametrize(
    ("binding", "kind"),
    [
        ("import threading\nTHING = threading.Event()", "threading.Event"),
        ("THING = object()", "builtins.object"),
        ("THING = [1, {'a': object()}]", "builtins.object"),
        ("THING = iter([1])", "builtins.list_iterator"),
        ("import functools\nTHING = functools.partial(print, object())", "builtins.object"),
    ],
)
def test_what_has_no_identity_is_not_cached_and_named(print_of: Prints, binding: str, kind: str) -> None:
    found = print_of(f"{binding}\ndef fn(x):\n    return THING\n")
    assert re.match(rf"not cached: fn: THING.* holds a {re.escape(kind)}$", found.uncached)
    unused = print_of(f"{binding}\ndef fn(x):\n    return x\n")
    assert unused.uncached == ""


@pytest.mark.parametrize(
    "project",
    [
        "import random\ndef fn(x):\n    return random.randint(0, x)\n",
        "from random import random\ndef fn(x):\n    return random()\n",
        "from random import randint\ndef fn(x):\n    return randint(0, x)\n",
        "import functools, random\nfn = functools.partial(random.uniform, 0)\n",
    ],
)
def test_a_library_function_goes_by_its_name_even_if_it_belongs_to_an_object(print_of: Prints, project: str) -> None:
    assert print_of(project).uncached == ""


def test_secrets_of_the_environment_are_no_part_of_a_definition(
    print_of: Prints, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = "import os\ndef fn(x):\n    return os.environ['A_TOKEN'] + os.getenv('A_TOKEN', 'none')\n"
    monkeypatch.setenv("A_TOKEN", "hf_first")
    before = print_of(project)
    monkeypatch.setenv("A_TOKEN", "hf_second")
    after = print_of(project)
    assert before.uncached == ""
    assert before.leaves == after.leaves


@pytest.mark.parametrize(
    "project",
    [
        "def fn(x):\n    return 'hf_secret'\n",
        "TOKEN = 'hf_secret'\ndef fn(x, key='hf_secret'):\n    return TOKEN\n",
        "import functools\ndef f(x, key):\n    return x\nfn = functools.partial(f, key='hf_secret')\n",
        "CLIENTS = {'hf_secret': print}\ndef fn(x):\n    return CLIENTS\n",
    ],
    ids=["constant", "global and default", "partial", "key of a dict"],
)
def test_a_secret_that_code_holds_is_in_no_leaf_in_plain_text(print_of: Prints, project: str) -> None:
    found = print_of(project)
    assert not any("hf_secret" in name or b"hf_secret" in leaf for name, leaf in found.leaves.items())


# ---------------------------------------------------------------- everywhere the same

LARGE_APP = {
    "app.py": f"import functools, other\nfrom other import h\nWORDS = {{'a', 'b', 'c', 'd', 'e'}}\n{CLASS}\n"
    "M = Model(bias=3)\n@functools.lru_cache\ndef fn(x, *, k=frozenset('xyz')):\n"
    "    return h(x), other.h(x), M.run(x), [w for w in WORDS if w in {'a', 'b', 'c'}], (lambda y: y + x)\n",
    "other.py": OTHER,
}


def test_a_definition_is_the_same_in_every_process_place_and_hash_seed(tmp_path: Path, print_of: Prints) -> None:
    here = print_of(LARGE_APP)
    assert here.uncached == ""
    script = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "import app; from daggr import FnNode; from daggr.graph.nodes.base import spec_of\n"
        "from daggr.engine.fingerprint.node import node_fingerprint\n"
        "print(node_fingerprint(spec_of(FnNode(app.fn))).digest.hex())"
    )
    for seed in ("0", "7"):
        folder = tmp_path / f"elsewhere {seed}"
        with imported(folder, LARGE_APP):
            pass
        printed = subprocess.run(
            [sys.executable, "-c", script, str(folder)],
            env=os.environ | {"PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        assert printed.strip() == here.digest.hex()


def test_a_definition_is_the_same_before_and_after_the_function_ran(tmp_path: Path) -> None:
    project = {"app.py": IN_FUNCTION, "other.py": "import third\ndef h(x):\n    return third.h(x)\n", "third.py": OTHER}
    with imported(tmp_path, project) as app:
        before = node_fingerprint(spec_of(FnNode(app.fn)))
        assert app.fn(1) == 2
        assert node_fingerprint(spec_of(FnNode(app.fn))).leaves == before.leaves
