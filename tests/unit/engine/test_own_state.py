"""What functions keep for themselves is their own business; what their user changes between two runs is not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from daggr import FnNode, Graph
from daggr.engine.engine import Engine
from daggr.graph.graph import drawing_of
from daggr.store.store import Store
from tests.unit.engine.fingerprint.projects import imported


class Desk:
    """Runs the node `app.fn` of a project, each time as `graph.run()` would; says what it gave, and if it executed."""

    def __init__(self, store: Store, app: Any) -> None:
        self.store = store
        self.app = app

    def run(self, x: int = 1, fn: Any = None) -> tuple[Any, bool]:
        engine = Engine(self.store)
        try:
            node = FnNode(fn or self.app.fn, name="fn", inputs={"x": x}, outputs={"y": None})
            program = engine.load(drawing_of(Graph("State", nodes=[node])))
            answer = engine.call(program, "local", {}, frozenset(["fn"])).result(20)
            return self.store.load(answer.runs["fn"].output("y") or b""), answer.cache != "hit"
        finally:
            engine.close()


MEMO = "MEMO = {}\ndef fn(x):\n    MEMO[x] = x * 2\n    return MEMO[x]\n"
MODEL = """
class Model:
    def __init__(self): self.layers = [1, 2, object()]
    def run(self, x): return x * 2
MODEL = None
def fn(x):
    global MODEL
    if MODEL is None:
        MODEL = Model()
    return MODEL.run(x)
"""
KEEPS = {
    "memo dict": MEMO,
    "lazily loaded model": MODEL,
    "default that is a memo": "def fn(x, memo={}):\n    memo[x] = x * 2\n    return memo[x]\n",
    "attribute of the function": "def fn(x):\n    fn.last = x\n    return x * 2\nfn.last = 0\n",
    "attribute of a class": "class C:\n    one = None\ndef fn(x):\n    C.one = C.one or [x]\n    return x * 2\n",
    "callable object": "class F:\n    n = 0\n    def __call__(self, x):\n        self.n += 1\n"
    "        return x * 2\nfn = F()\n",
    "closure": "def make():\n    count = 0\n    def fn(x):\n        nonlocal count\n        count += 1\n"
    "        return x * 2\n    return fn\nfn = make()\n",
    "method of a memo's owner": "class M:\n    def __init__(self): self.seen = []\n    def run(self, x):\n"
    "        self.seen.append(x)\n        return x * 2\nfn = M().run\n",
    "lock that is taken": "import threading\nLOCK = threading.Lock()\ndef fn(x):\n    with LOCK:\n"
    "        return x * 2\n",
    "lru_cache": "import functools\n@functools.lru_cache\ndef h(x): return x * 2\ndef fn(x):\n    return h(x)\n",
    "global counter": "COUNT = 0\ndef fn(x):\n    global COUNT\n    COUNT += 1\n    return x * 2\n",
}


@pytest.mark.parametrize("project", list(KEEPS.values()), ids=list(KEEPS))
def test_what_a_function_keeps_makes_nothing_stale(tmp_path: Path, store: Store, project: str) -> None:
    with imported(tmp_path, {"app.py": project}) as app:
        desk = Desk(store, app)
        assert desk.run(1) == (2, True)
        assert desk.run(1) == (2, False)
        assert desk.run(5) == (10, True)
        assert desk.run(1) == (2, False)
        assert desk.run(5) == (10, False)


@pytest.mark.parametrize("project", list(KEEPS.values()), ids=list(KEEPS))
def test_what_a_function_kept_is_not_asked_for_by_the_next_process(tmp_path: Path, store: Store, project: str) -> None:
    with imported(tmp_path / "first", {"app.py": project}) as app:
        assert Desk(store, app).run(1) == (2, True)
    with imported(tmp_path / "next", {"app.py": project}) as app:
        assert Desk(store, app).run(1) == (2, False)


def test_what_the_user_changes_between_two_runs_counts(tmp_path: Path, store: Store) -> None:
    project = "RATE = 2\nTABLE = {'by': [0]}\ndef fn(x):\n    return x * RATE + TABLE['by'][0]\n"
    with imported(tmp_path, {"app.py": project}) as app:
        desk = Desk(store, app)
        assert desk.run(1) == (2, True)
        app.RATE = 3
        assert desk.run(1) == (3, True)
        app.TABLE["by"][0] = 10
        assert desk.run(1) == (13, True)
        app.TABLE["by"][0] = 0
        assert desk.run(1) == (3, False)
        app.RATE = 2
        assert desk.run(1) == (2, False)


def test_a_helper_that_is_replaced_between_two_runs_counts(tmp_path: Path, store: Store) -> None:
    project = {
        "app.py": "import other\ndef fn(x):\n    return other.h(x)\n",
        "other.py": "def h(x): return x\n",
    }
    with imported(tmp_path, project) as app:
        desk = Desk(store, app)
        assert desk.run(1) == (1, True)
        app.other.h = lambda x: x + 100
        assert desk.run(1) == (101, True)


def test_what_one_function_keeps_makes_no_other_stale(tmp_path: Path, store: Store) -> None:
    project = (
        "SEEN = {}\ndef fn(x):\n    SEEN[x] = True\n    return x\n"
        "def count(x):\n    return x + len([n for n in SEEN if n < 0])\n"
    )
    with imported(tmp_path, {"app.py": project}) as app:
        desk = Desk(store, app)
        assert desk.run(1, app.count) == (1, True)
        assert desk.run(1) == (1, True)
        assert desk.run(1, app.count) == (1, False)


@pytest.mark.parametrize(
    "provider",
    ["random.random", "random.Random(3).random", "__import__('time').time", "lambda: random.randint(0, 10**9)"],
)
def test_a_provider_s_state_makes_nothing_stale(tmp_path: Path, store: Store, provider: str) -> None:
    with imported(tmp_path, {"app.py": f"import random\nDRAW = {provider}\ndef fn(x):\n    return x\n"}) as app:
        found = set()
        for _ in range(3):
            engine = Engine(store)
            node = FnNode(app.fn, name="fn", inputs={"x": app.DRAW}, outputs={"y": None})
            program = engine.load(drawing_of(Graph("State", nodes=[node])))
            run = engine.call(program, "local", {}, frozenset(["fn"])).result(20).runs["fn"]
            found.add((run.fingerprint, run.lookup))
            app.DRAW()
            engine.close()
        assert len(found) == 1


def test_what_a_function_keeps_stays_its_own_when_the_user_changes_something_else(tmp_path: Path, store: Store) -> None:
    project = MODEL.replace("return MODEL.run(x)", "return MODEL.run(x) + N") + "N = 0\n"
    with imported(tmp_path / "first", {"app.py": project}) as app:
        desk = Desk(store, app)
        assert desk.run(1) == (2, True)
        app.N = 5
        assert desk.run(1) == (7, True)
        assert desk.run(1) == (7, False), "the model is still nobody's business"
        app.N = 0
        assert desk.run(1) == (2, False)
    with imported(tmp_path / "next", {"app.py": project.replace("N = 0", "N = 5")}) as app:
        assert Desk(store, app).run(1) == (7, False), "and the next process finds it"
