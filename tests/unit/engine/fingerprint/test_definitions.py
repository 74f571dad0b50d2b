"""What is part of a node's definition besides the code: captured values, ports, hooks; and what is refused."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from daggr import FnNode
from daggr.engine.fingerprint.node import Fingerprint, node_fingerprint
from daggr.graph.nodes.base import spec_of
from tests.handmade import Field, Number
from tests.unit.engine.fingerprint.edits.edit import files
from tests.unit.engine.fingerprint.projects import imported, print_in, print_of_function

Prints = Callable[[str], Fingerprint]


@pytest.fixture
def print_of(tmp_path: Path) -> Prints:
    """The fingerprint of a node that calls `app.fn` of a project."""
    count = itertools.count()
    return lambda text: print_in(tmp_path / str(next(count)), files(text))


def test_two_lambdas_on_one_line_differ(tmp_path: Path) -> None:
    with imported(tmp_path, files("a, b, c = lambda x: x + 1, lambda x: x + 2, lambda x: x + 1\n")) as app:
        prints = [print_of_function(fn).digest for fn in (app.a, app.b, app.c)]
    assert prints[0] != prints[1]
    assert prints[0] == prints[2]


def test_lambdas_of_a_loop_differ_by_what_they_captured(tmp_path: Path) -> None:
    with imported(tmp_path, files("fns = [(lambda n: lambda x: x + n)(n) for n in (1, 2, 1, True)]\n")) as app:
        prints = [print_of_function(fn).digest for fn in app.fns]
    assert len(set(prints)) == 3
    assert prints[0] == prints[2]


def test_names_labels_and_values_shown_are_no_part_of_a_definition(tmp_path: Path) -> None:
    with imported(tmp_path, files("def fn(x):\n    return x\n")) as app:
        plain = node_fingerprint(spec_of(FnNode(app.fn, inputs={"x": Field()}, outputs={"y": Field(label="Y")})))
        named = FnNode(app.fn, name="Another", inputs={"x": 3}, outputs={"y": Field("shown", label="Result")})
        assert node_fingerprint(spec_of(named)).digest == plain.digest


def test_ports_hooks_and_what_shapes_the_values_are_part_of_a_definition(tmp_path: Path) -> None:
    with imported(tmp_path, files("def fn(x):\n    return x\n")) as app:
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


@pytest.mark.parametrize("hook", ["preprocess", "postprocess"])
def test_what_a_hook_calls_is_part_of_a_definition(tmp_path: Path, hook: str) -> None:
    text = "def fn(x): return x\ndef h(v): return v + {}\ndef hook(v): return h(v)\n"
    prints = []
    for number in (1, 2):
        with imported(tmp_path / str(number), files(text.format(number))) as app:
            node = FnNode(app.fn, outputs={"y": None}, **{hook: app.hook})
            prints.append(node_fingerprint(spec_of(node)))
    assert prints[0].uncached == prints[1].uncached == ""
    assert prints[0].digest != prints[1].digest


# ---------------------------------------------------------------- what cannot be vouched for

TWO_STATEMENTS = """
import threading
THING = threading.Event()
THING = threading.Event()
def fn(x): return THING
"""
TWO_BRANCHES = """
import sys, threading
if sys.platform:
    THING = threading.Event()
else:
    THING = threading.Event()
def fn(x): return THING
"""
SET_BY_A_FUNCTION = """
import threading
THING = None
def start():
    global THING
    THING = threading.Event()
start()
def fn(x): return THING
"""
SET_FROM_OUTSIDE = """
import other, threading
other.THING = threading.Event()
def fn(x): return other.THING
--- other.py
THING = None
"""
IN_A_LOOP = """
import threading
for THING in [threading.Event(), threading.Event()]: ...
def fn(x): return THING
"""
IN_A_CLOSURE = """
import threading
def make():
    thing = threading.Event()
    return lambda x: thing
fn = make()
"""
AS_A_DEFAULT = """
import threading
def fn(x, thing=threading.Event()): return thing
"""


@pytest.mark.parametrize(
    "project",
    [
        pytest.param(TWO_STATEMENTS, id="two statements"),
        pytest.param(TWO_BRANCHES, id="two branches"),
        pytest.param(SET_BY_A_FUNCTION, id="set by a function"),
        pytest.param(SET_FROM_OUTSIDE, id="set from outside"),
        pytest.param(IN_A_LOOP, id="in a loop"),
        pytest.param(IN_A_CLOSURE, id="in a closure"),
        pytest.param(AS_A_DEFAULT, id="as a default"),
    ],
)
def test_what_no_single_statement_binds_is_not_cached_and_named(print_of: Prints, project: str) -> None:
    found = print_of(project)
    assert re.search(r"^not cached: .*thing.* holds .*Event", found.uncached, re.IGNORECASE)


@pytest.mark.parametrize("project", [TWO_STATEMENTS, TWO_BRANCHES, SET_BY_A_FUNCTION])
def test_what_the_function_does_not_use_is_no_reason_to_refuse(print_of: Prints, project: str) -> None:
    assert print_of(project.replace("return THING", "return x")).uncached == ""


@pytest.mark.parametrize(
    "expression", ["threading.Event()", "threading.Lock()", "object()", "http.client.HTTPConnection('a')"]
)
def test_what_one_statement_binds_is_cached(print_of: Prints, expression: str) -> None:
    assert print_of(f"import http.client, threading\nTHING = {expression}\ndef fn(x): return THING\n").uncached == ""


@pytest.mark.parametrize(
    "project",
    [
        "import random\ndef fn(x):\n    return random.randint(0, x)\n",
        "from random import random\ndef fn(x):\n    return random()\n",
        "from random import randint\ndef fn(x):\n    return randint(0, x)\n",
        "import functools, random\nfn = functools.partial(random.uniform, 0)\n",
        "import time\ndef fn(x):\n    return time.time()\n",
        "import numpy as np\ndef fn(x):\n    return np.random.rand(x)\n",
        "import logging, sys\ndef fn(x):\n    print(x, file=sys.stderr)\n    logging.info('x')\n",
    ],
)
def test_a_library_function_goes_by_its_name_even_if_it_belongs_to_an_object(print_of: Prints, project: str) -> None:
    assert print_of(project).uncached == ""


def test_a_library_s_own_state_is_no_part_of_a_definition(print_of: Prints) -> None:
    project = "from random import random\ndef fn(x): return random()\n"
    before = print_of(project)
    after = print_of(f"import random as r\nr.random()\n{project}")
    assert before.digest == after.digest


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
        "import http.client\nCLIENT = http.client.HTTPConnection('hf_secret')\ndef fn(x):\n    return CLIENT\n",
        "class C:\n    def __init__(self, key):\n        self.key = key\nM = C('hf_secret')\ndef fn(x): return M\n",
    ],
    ids=["constant", "global and default", "partial", "key of a dict", "statement", "object"],
)
def test_a_secret_that_code_holds_is_in_no_leaf_in_plain_text(print_of: Prints, project: str) -> None:
    found = print_of(project)
    assert not any("hf_secret" in name or b"hf_secret" in bytes(leaf) for name, leaf in found.leaves.items())


def test_a_secret_is_not_in_the_refusal_either(print_of: Prints) -> None:
    found = print_of("def make(thing): return lambda x: thing\nfn = make({'hf_secret': object()})\n")
    assert found.uncached != ""
    assert "hf_secret" not in found.uncached


def test_a_definition_is_the_same_before_and_after_the_function_ran(tmp_path: Path) -> None:
    project = files("""
        def fn(x):
            import other
            return other.h(x)
        --- other.py
        import third
        def h(x): return third.h(x)
        --- third.py
        def h(x): return x + 1
    """)
    with imported(tmp_path, project) as app:
        before = print_of_function(app.fn)
        assert app.fn(1) == 2
        assert print_of_function(app.fn).leaves == before.leaves
