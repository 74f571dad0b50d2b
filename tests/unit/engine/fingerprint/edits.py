"""The table of edits to a user's file: which ones can be felt, and which ones cannot.

A project is the text of `app.py`, or of several files by path; the function that matters is `app.fn`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

Project = str | Mapping[str, str]


def edit(name: str, before: Project, after: Project) -> Any:
    return pytest.param(before, after, id=name)


def swap(name: str, project: Project, old: str, new: str) -> Any:
    """An edit that replaces one text with another."""
    if isinstance(project, str):
        assert old in project
        return edit(name, project, project.replace(old, new))
    assert any(old in text for text in project.values())
    return edit(name, project, {path: text.replace(old, new) for path, text in project.items()})


CALLS_OTHER = "import other\ndef fn(x):\n    return other.h(x)\n"
FROM_OTHER = "from other import h\ndef fn(x):\n    return h(x)\n"
OTHER = "def h(x):\n    return x + 1\n"
DECORATED = """
import functools
def twice(f):
    @functools.wraps(f)
    def inner(*args):
        return f(*args) * 2
    return inner
@twice
def fn(x):
    return x + 1
"""
CLASS = """
class Base:
    scale = 2
    def apply(self, x):
        return x * self.scale
class Model(Base):
    def __init__(self, bias=0):
        self.bias = bias
    @property
    def weight(self):
        return 10
    @staticmethod
    def clean(x):
        return x + 100
    def run(self, x):
        return self.apply(x) + self.bias
"""
IN_FUNCTION = "def fn(x):\n    import other\n    return other.h(x)\n"
TWO_HOPS = {"other.py": "from third import h\n", "third.py": OTHER}

MUST_CHANGE = [
    swap("body", "def fn(x):\n    return x + x\n", "x + x", "x * x"),
    swap("constant", "def fn(x):\n    return x + 1\n", "1", "2"),
    swap("type of a constant", "def fn(x):\n    return x + 1\n", "1", "1.0"),
    swap("True for 1", "def fn(x):\n    return [x, 1]\n", "1", "True"),
    swap("sign of zero", "def fn(x):\n    return [x, 0.0]\n", "0.0", "-0.0"),
    swap("constant in a set", "def fn(x):\n    return x in {'a', 'b'}\n", "'b'", "'c'"),
    swap("name of an attribute", "def fn(x):\n    return x.upper()\n", "upper", "lower"),
    swap("order of parameters", "def fn(x, y):\n    return x - y\n", "x, y", "y, x"),
    swap("default", "def fn(x, y=1):\n    return x + y\n", "y=1", "y=2"),
    swap("keyword default", "def fn(x, *, y=1):\n    return x + y\n", "y=1", "y=2"),
    swap(
        "default that is a helper", "def h():\n    return 1\ndef fn(x, y=h):\n    return y()\n", "return 1", "return 2"
    ),
    swap(
        "except clause",
        "def fn(x):\n    try:\n        return int(x)\n    except ValueError:\n        return 0\n",
        "ValueError",
        "TypeError",
    ),
    swap("nested function", "def fn(x):\n    def g(y):\n        return y + 1\n    return g(x)\n", "1", "2"),
    swap("comprehension", "def fn(x):\n    return [y for y in x if y > 1]\n", "> 1", ">= 1"),
    swap("global number", "RATE = 3\ndef fn(x):\n    return x * RATE\n", "3", "4"),
    swap("global used in a nested function", "RATE = 3\ndef fn(x):\n    return [y * RATE for y in x]\n", "3", "4"),
    swap("global used in a lambda", "RATE = 3\ndef fn(x):\n    return (lambda y: y * RATE)(x)\n", "3", "4"),
    swap(
        "global dict's order",
        "T = {'a': 1, 'b': 2}\ndef fn(x):\n    return list(T)\n",
        "'a': 1, 'b': 2",
        "'b': 2, 'a': 1",
    ),
    swap(
        "global list of functions",
        "def h(x):\n    return 1\nALL = [h]\ndef fn(x):\n    return ALL[0](x)\n",
        "return 1",
        "return 2",
    ),
    swap("helper", "def h(x):\n    return x + 1\ndef fn(x):\n    return h(x)\n", "x + 1", "x + 2"),
    swap(
        "helper of a helper",
        "K = 1\ndef g():\n    return K\ndef h():\n    return g()\ndef fn(x):\n    return h()\n",
        "K = 1",
        "K = 2",
    ),
    swap(
        "helper that calls back",
        "def h(n):\n    return fn(n - 1) if n else 1\ndef fn(x):\n    return h(x)\n",
        "else 1",
        "else 2",
    ),
    swap("helper in an own module", {"app.py": CALLS_OTHER, "other.py": OTHER}, "x + 1", "x + 2"),
    swap("helper from an own module", {"app.py": FROM_OTHER, "other.py": OTHER}, "x + 1", "x + 2"),
    swap(
        "data in an own module",
        {"app.py": "import other\ndef fn(x):\n    return other.K\n", "other.py": "K = 1\n"},
        "= 1",
        "= 2",
    ),
    swap(
        "two hops by attribute",
        {
            "app.py": CALLS_OTHER,
            "other.py": "import third\ndef h(x):\n    return third.g(x)\n",
            "third.py": "def g(x):\n    return x + 1\n",
        },
        "x + 1",
        "x + 2",
    ),
    swap(
        "two hops by name",
        {"app.py": FROM_OTHER, "other.py": "from third import h\n", "third.py": OTHER},
        "x + 1",
        "x + 2",
    ),
    swap(
        "module in a package",
        {
            "app.py": "import lib.other\ndef fn(x):\n    return lib.other.h(x)\n",
            "lib/__init__.py": "",
            "lib/other.py": OTHER,
        },
        "x + 1",
        "x + 2",
    ),
    swap(
        "module in a folder without __init__",
        {"app.py": "import lib.other\ndef fn(x):\n    return lib.other.h(x)\n", "lib/other.py": OTHER},
        "x + 1",
        "x + 2",
    ),
    swap(
        "module under another name",
        {"app.py": "import other\ndef fn(x):\n    m = other\n    return m.h(x)\n", "other.py": OTHER},
        "x + 1",
        "x + 2",
    ),
    swap(
        "module under another name, two hops",
        {"app.py": "import other\ndef fn(x):\n    m = other\n    return m.h(x)\n", **TWO_HOPS},
        "x + 1",
        "x + 2",
    ),
    swap("import in the function", {"app.py": IN_FUNCTION, "other.py": OTHER}, "x + 1", "x + 2"),
    swap("import in the function, two hops", {"app.py": IN_FUNCTION, **TWO_HOPS}, "x + 1", "x + 2"),
    swap(
        "import in the function, two hops, loaded",
        {"app.py": f"import other as _\n{IN_FUNCTION}", **TWO_HOPS},
        "x + 1",
        "x + 2",
    ),
    swap(
        "import of a package's module in the function",
        {
            "app.py": "def fn(x):\n    from lib import other\n    return other.h(x)\n",
            "lib/__init__.py": "",
            "lib/other.py": OTHER,
        },
        "x + 1",
        "x + 2",
    ),
    swap(
        "relative import in the function",
        {
            "app.py": "from lib.inner import fn\n",
            "lib/__init__.py": "",
            "lib/inner.py": "def fn(x):\n    from .other import h\n    return h(x)\n",
            "lib/other.py": OTHER,
        },
        "x + 1",
        "x + 2",
    ),
    swap(
        "closure value",
        "def make(n):\n    def fn(x):\n        return x + n\n    return fn\nfn = make(1)\n",
        "make(1)",
        "make(2)",
    ),
    swap(
        "closure function",
        "def make(n):\n    def fn(x):\n        return n(x)\n    return fn\nfn = make(lambda x: x + 1)\n",
        "+ 1",
        "+ 2",
    ),
    swap("own decorator", DECORATED, "* 2", "* 3"),
    swap("what an own decorator wraps", DECORATED, "x + 1", "x + 2"),
    swap(
        "own decorator that is a class",
        "class Twice:\n"
        "    def __init__(self, f):\n"
        "        self.f = f\n"
        "    def __call__(self, x):\n"
        "        return self.f(x) * 2\n"
        "@Twice\ndef fn(x):\n    return x + 1\n",
        "* 2",
        "* 3",
    ),
    swap(
        "what lru_cache wraps",
        "import functools\n@functools.lru_cache\ndef fn(x):\n    return x + 1\n",
        "x + 1",
        "x + 2",
    ),
    swap(
        "what contextmanager wraps",
        "import contextlib\n"
        "@contextlib.contextmanager\n"
        "def scale():\n"
        "    yield 1\n"
        "def fn(x):\n"
        "    with scale() as s:\n"
        "        return x * s\n",
        "yield 1",
        "yield 2",
    ),
    swap(
        "what singledispatch wraps",
        "import functools\n@functools.singledispatch\ndef fn(x):\n    return x + 1\n",
        "x + 1",
        "x + 2",
    ),
    swap("method", f"{CLASS}\ndef fn(x):\n    return Model().run(x)\n", "+ self.bias", "- self.bias"),
    swap("inherited method", f"{CLASS}\ndef fn(x):\n    return Model().run(x)\n", "x * self.scale", "x / self.scale"),
    swap("class attribute", f"{CLASS}\ndef fn(x):\n    return Model().run(x)\n", "scale = 2", "scale = 3"),
    swap("property", f"{CLASS}\ndef fn(x):\n    return Model().weight\n", "10", "11"),
    swap("static method", f"{CLASS}\ndef fn(x):\n    return Model.clean(x)\n", "+ 100", "+ 101"),
    swap("default of a method", f"{CLASS}\ndef fn(x):\n    return Model().run(x)\n", "bias=0", "bias=1"),
    swap("state of a method's self", f"{CLASS}\nfn = Model(bias=5).run\n", "bias=5", "bias=6"),
    swap(
        "state of a global object", f"{CLASS}\nM = Model(bias=5)\ndef fn(x):\n    return M.run(x)\n", "bias=5", "bias=6"
    ),
    swap(
        "instance that is called",
        "class Fn:\n    def __call__(self, x):\n        return x + 1\nfn = Fn()\n",
        "x + 1",
        "x + 2",
    ),
    swap(
        "field of a dataclass",
        "import dataclasses\n@dataclasses.dataclass\nclass P:\n    a: int = 1\ndef fn(x):\n    return P().a\n",
        "= 1",
        "= 2",
    ),
    swap(
        "partial argument",
        "import functools\ndef f(x, y):\n    return x + y\nfn = functools.partial(f, y=1)\n",
        "y=1",
        "y=2",
    ),
    swap(
        "function of a partial",
        "import functools\ndef f(x, y):\n    return x + y\nfn = functools.partial(f, y=1)\n",
        "x + y",
        "x - y",
    ),
    swap("lambda constant", "fn = lambda x: x + 1\n", "1", "2"),
    swap("library function", "import math\ndef fn(x):\n    return math.floor(x)\n", "floor", "ceil"),
    swap(
        "library function by name", "from math import floor as f\ndef fn(x):\n    return f(x)\n", "floor as", "ceil as"
    ),
    swap(
        "library function of a dict",
        "import math\nT = {'f': math.floor}\ndef fn(x):\n    return T['f'](x)\n",
        "floor",
        "ceil",
    ),
]

MUST_CHANGE_OR_BE_REFUSED = [
    swap("attribute of a function", "def fn(x):\n    return x * fn.rate\nfn.rate = 1\n", "= 1", "= 2"),
    swap("text that a bound method belongs to", "fn = '-'.join\n", "'-'", "'+'"),
    swap("table that a bound method belongs to", "get = {'a': 1}.get\ndef fn(x):\n    return get(x)\n", "1", "2"),
    swap("pattern that a bound method belongs to", "import re\nfn = re.compile('a').findall\n", "'a'", "'b'"),
    swap(
        "method of an own dict",
        "class T(dict):\n    def rate(self):\n        return 1\nTABLE = T()\ndef fn(x):\n    return TABLE.rate()\n",
        "return 1",
        "return 2",
    ),
    swap(
        "value of an own int",
        "class Level(int):\n    pass\nL = Level(1)\ndef fn(x):\n    return x + L\n",
        "Level(1)",
        "Level(2)",
    ),
    swap(
        "value of an own str", "class Word(str):\n    pass\nW = Word('a')\ndef fn(x):\n    return x + W\n", "'a'", "'b'"
    ),
    swap(
        "content of an own deque",
        "import collections\nclass Q(collections.deque):\n    pass\nQUEUE = Q([1])\ndef fn(x):\n    return QUEUE[0]\n",
        "[1]",
        "[2]",
    ),
    swap(
        "factory of a defaultdict",
        "import collections\nT = collections.defaultdict(lambda: 1)\ndef fn(x):\n    return T[x]\n",
        ": 1",
        ": 2",
    ),
    swap(
        "metaclass",
        "class Meta(type):\n"
        "    def rate(cls):\n"
        "        return 1\n"
        "class C(metaclass=Meta):\n"
        "    pass\n"
        "def fn(x):\n"
        "    return C.rate()\n",
        "return 1",
        "return 2",
    ),
]

MUST_NOT_CHANGE = [
    edit(
        "comment", "def fn(x):\n    return x + 1\n", "# why\ndef fn(x):  # because\n    # of this\n    return x + 1\n"
    ),
    edit("blank lines", "def fn(x):\n    y = x\n    return y\n", "\n\ndef fn(x):\n\n    y = x\n\n\n    return y\n"),
    edit(
        "formatting",
        "def fn(x, y=1):\n    return [x, 'a', y]\n",
        'def fn(\n    x,\n    y = 1,\n):\n    return [\n        x, "a",\n        y,\n    ]\n',
    ),
    edit(
        "moved down the file",
        "def h(x):\n    return x\ndef fn(x):\n    return h(x)\n",
        "A = 1\ndef g(): ...\n\n\ndef fn(x):\n    return h(x)\ndef h(x):\n    return x\n",
    ),
    swap("name of an unrelated function", "def other(): ...\ndef fn(x):\n    return x\n", "other", "another"),
    swap("body of an unrelated function", "def other():\n    return 1\ndef fn(x):\n    return x\n", "1", "2"),
    swap("unrelated global", "A = 1\ndef fn(x):\n    return x\n", "1", "2"),
    swap("unrelated import", "import os\ndef fn(x):\n    return x\n", "os", "json"),
    swap(
        "unrelated function of an own module",
        {"app.py": CALLS_OTHER, "other.py": f"{OTHER}\ndef g():\n    return 10\n"},
        "10",
        "20",
    ),
    swap("unrelated class", "class A:\n    b = 1\ndef fn(x):\n    return x\n", "1", "2"),
    swap("class moved", f"{CLASS}\ndef fn(x):\n    return Model().run(x)\n", "class Base", "\n\n# moved\nclass Base"),
    swap("annotation", "def fn(x: int) -> int:\n    return x\n", "int", "str"),
]
