"""What happens elsewhere: code that moves, and code that the function does not use."""

from __future__ import annotations

from tests.unit.engine.fingerprint.edits.classes import MODEL
from tests.unit.engine.fingerprint.edits.edit import edit, rewrite

HELPER = "def h(x):\n    return x + 1\n"
USES = "def fn(x):\n    return h(x)\n"
OTHER = f"--- other.py\n{HELPER}"
DEEP = "RATE = 2\ndef g(x):\n    return x * RATE\ndef h(x):\n    return g(x) + 1\n"
POINT = "from dataclasses import dataclass\n@dataclass\nclass P:\n    a: int = 1\n"
CHOICE = "import enum\nclass Color(enum.Enum):\n    RED = 1\n"

MOVES = [
    rewrite("moved down the file", HELPER + USES, f"A = 1\ndef g(): ...\n\n\n{USES}{HELPER}"),
    rewrite("order of definitions", HELPER + USES, USES + HELPER),
    rewrite("helper moved to an own module", HELPER + USES, f"from other import h\n{USES}{OTHER}"),
    rewrite(
        "helper moved to a package",
        HELPER + USES,
        f"from lib.inner import h\n{USES}--- lib/__init__.py\n--- lib/inner.py\n{HELPER}",
    ),
    rewrite(
        "helper moved behind a package",
        HELPER + USES,
        f"from lib import h\n{USES}--- lib/__init__.py\nfrom .inner import h\n--- lib/inner.py\n{HELPER}",
    ),
    rewrite(
        "helper moved from module to module",
        f"from other import h\n{USES}{OTHER}",
        f"from third import h\n{USES}--- third.py\n{HELPER}",
    ),
    rewrite("helper moved with what it uses", DEEP + USES, f"from other import h\n{USES}--- other.py\n{DEEP}"),
    rewrite(
        "helper's helper moved",
        DEEP + USES,
        f"from other import g\nRATE = 2\ndef h(x):\n    return g(x) + 1\n{USES}--- other.py\nRATE = 2\n"
        f"def g(x):\n    return x * RATE\n",
    ),
    rewrite("function itself moved", HELPER + USES, f"from other import fn\n--- other.py\n{HELPER}{USES}"),
    rewrite(
        "function moved, helper left",
        f"from other import h\n{USES}{OTHER}",
        f"from third import fn\n{OTHER}--- third.py\nfrom other import h\n{USES}",
    ),
    rewrite(
        "constant moved to an own module",
        "RATE = 2\ndef fn(x): return x * RATE\n",
        "from other import RATE\ndef fn(x): return x * RATE\n--- other.py\nRATE = 2\n",
    ),
    rewrite(
        "class moved",
        f"{MODEL}def fn(x): return Model().run(x)\n",
        f"\n\n# moved\n{MODEL}\n\ndef fn(x): return Model().run(x)\n",
    ),
    rewrite(
        "class moved to an own module",
        f"{MODEL}def fn(x): return Model().run(x)\n",
        f"from other import Model\ndef fn(x): return Model().run(x)\n--- other.py\n{MODEL}",
    ),
    rewrite(
        "base moved to an own module",
        "class A:\n    rate = 2\nclass B(A): ...\ndef fn(x): return B.rate\n",
        "from other import A\nclass B(A): ...\ndef fn(x): return B.rate\n--- other.py\nclass A:\n    rate = 2\n",
    ),
    rewrite(
        "dataclass moved to an own module",
        f"{POINT}def fn(x): return P().a\n",
        f"from other import P\ndef fn(x): return P().a\n--- other.py\n{POINT}",
    ),
    rewrite(
        "enumeration moved to an own module",
        f"{CHOICE}def fn(x): return Color.RED.value\n",
        f"from other import Color\ndef fn(x): return Color.RED.value\n--- other.py\n{CHOICE}",
    ),
    rewrite(
        "table moved to an own module",
        f"{HELPER}T = {{'h': h}}\ndef fn(x): return T['h'](x)\n",
        f"from other import T\ndef fn(x): return T['h'](x)\n{OTHER}T = {{'h': h}}\n",
    ),
    rewrite(
        "decorator moved to an own module",
        "def twice(f): return lambda x: f(x) * 2\n@twice\ndef fn(x): return x\n",
        "from other import twice\n@twice\ndef fn(x): return x\n--- other.py\ndef twice(f): return lambda x: f(x) * 2\n",
    ),
    rewrite(
        "lambda moved",
        "T = {'a': lambda x: x + 1}\nfn = T['a']\n",
        "A = lambda x: x + 1\nT = {'b': 2, 'a': A}\nfn = T['a']\n",
    ),
    rewrite(
        "function within a class that nobody sees",
        "def fn(x): return x + 1\n",
        "class C:\n    @staticmethod\n    def fn(x): return x + 1\nfn = C.fn\n",
    ),
    rewrite(
        "module turned into a package",
        f"import other\ndef fn(x): return other.h(x)\n{OTHER}",
        f"import other\ndef fn(x): return other.h(x)\n--- other/__init__.py\n{HELPER}",
    ),
    rewrite(
        "folder gets its __init__",
        f"import lib.other\ndef fn(x): return lib.other.h(x)\n--- lib/other.py\n{HELPER}",
        f"import lib.other\ndef fn(x): return lib.other.h(x)\n--- lib/__init__.py\n--- lib/other.py\n{HELPER}",
    ),
]  # fmt: skip

UNRELATED = [
    edit("name of an unrelated function", "def «other → another»(): ...\ndef fn(x): return x"),
    edit("body of an unrelated function", "def other(): return «1 → 2»\ndef fn(x): return x"),
    edit("unrelated function added", "« → def other(): return 1»\ndef fn(x): return x"),
    edit("unrelated global", "A = «1 → 2»\ndef fn(x): return x"),
    edit("unrelated class", "class A:\n    b = «1 → 2»\ndef fn(x): return x"),
    edit("unrelated import", "import «os → json»\ndef fn(x): return x"),
    edit("unrelated import of an own module", "« → import other»\ndef fn(x): return x\n--- other.py\nA = 1\n"),
    edit("unrelated own module", "import other\ndef fn(x): return x\n--- other.py\nA = «1 → 2»\n"),
    edit("own module that nobody imports", "def fn(x): return x\n--- other.py\nA = «1 → 2»\n"),
    edit("file beside the script", "def fn(x): return x\n--- notes.txt\n«a → b»\n"),
    edit("order of imports", "«import os → import json»\n«import json → import os»\ndef fn(x): return json.dumps(x)"),
    edit(
        "unrelated function of an own module",
        f"import other\ndef fn(x): return other.h(x)\n{OTHER}def g(): return «1 → 2»\n",
    ),
    edit("unrelated global of an own module", f"import other\ndef fn(x): return other.h(x)\n{OTHER}K = «1 → 2»\n"),
    edit(
        "unrelated class of an own module",
        f"from other import h\ndef fn(x): return h(x)\n{OTHER}class A:\n    b = «1 → 2»\n",
    ),
    edit(
        "unrelated import of an own module's",
        f"from other import h\ndef fn(x): return h(x)\n{OTHER}« → import json»\n",
    ),
    edit(
        "unrelated function with star import",
        f"from other import *\ndef fn(x): return h(x)\n{OTHER}def g(): return «1 → 2»\n",
    ),
    edit(
        "unrelated module of a package",
        f"import lib.other\ndef fn(x): return lib.other.h(x)\n--- lib/__init__.py\n--- lib/other.py\n"
        f"{HELPER}--- lib/more.py\nA = «1 → 2»\n",
    ),
    edit(
        "unrelated helper that a package shows",
        f"from lib import h\ndef fn(x): return h(x)\n--- lib/__init__.py\nfrom .other import h\n"
        f"from .more import g\n--- lib/other.py\n{HELPER}--- lib/more.py\ndef g(x): return «1 → 2»\n",
    ),
    edit("unrelated function two modules away", """
        from other import h
        def fn(x): return h(x)
        --- other.py
        import third
        def h(x): return third.g(x)
        --- third.py
        def g(x): return x
        def f(x): return «1 → 2»
    """),
    edit("unrelated attribute of a chain", """
        import lib.settings
        def fn(x): return lib.settings.A
        --- lib/__init__.py
        --- lib/settings.py
        A = 1
        B = «1 → 2»
    """),
    edit("unrelated lambda of a line", "fn, g = lambda x: x + 1, lambda x: x + «2 → 3»"),
    edit("unrelated lambda of a dict", "T = {'a': lambda x: x + 1, 'b': lambda x: x «+ → -» 2}\nfn = T['a']"),
    edit("unrelated closure", "def make(n): return lambda x: x + n\ng, fn = make(«1 → 2»), make(3)"),
    edit("unrelated variable of a maker", "def make(n, m): return lambda x: x + n\nfn = make(1, «2 → 3»)"),
    edit("global that a local hides", "K = «1 → 2»\ndef fn(x):\n    K = x\n    return K"),
    edit("global of an attribute's name", "K = «1 → 2»\ndef fn(x): return x.K", call="0"),
    edit("global of a keyword's name", "K = «1 → 2»\ndef fn(x): return dict(K=x)"),
    edit("global named in a text", "K = «1 → 2»\ndef fn(x): return 'K'"),
    edit("object unlike another one", f"{MODEL}A = Model(«1 → 2»)\nB = Model(3)\ndef fn(x): return B.run(x)"),
    edit("registered elsewhere", "T, U = {}, {}\ndef fn(x): return list(T)\nU['a'] = «1 → 2»"),
    edit("global that was needed for another one", "A = «1 → 3 - 2»\nB = A + 1\ndef fn(x): return B"),
    edit("script that is started", "def fn(x): return x\n« → if __name__ == '__main__':\n    print(fn(1))»\n"),
    edit("names that the module shows", "__all__ = ['fn'« → , 'g'»]\ndef g(): ...\ndef fn(x): return x"),
    edit("version of the module", "__version__ = '«1 → 2»'\ndef fn(x): return x"),
    edit("unrelated module imported in another function", """
        def g():
            import other
            return other.K
        def fn(x): return x
        --- other.py
        K = «1 → 2»
    """),
    edit("test beside the function", "def fn(x): return x\n« → def test_fn():\n    assert fn(1) == 1»\n"),
]  # fmt: skip

MUST_NOT_CHANGE = [*MOVES, *UNRELATED]
