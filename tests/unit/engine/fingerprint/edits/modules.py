"""Where a function finds what it calls: modules of one's own, and all the ways to import them."""

from __future__ import annotations

from tests.unit.engine.fingerprint.edits.edit import edit

OTHER = "\n--- other.py\ndef h(x): return x + «1 → 2»\n"
THIRD = "\n--- other.py\nfrom third import h\n--- third.py\ndef h(x): return x + «1 → 2»\n"
LIB = "\n--- lib/__init__.py\n--- lib/other.py\ndef h(x): return x + «1 → 2»\n"
IN_FUNCTION = "def fn(x):\n    import other\n    return other.h(x)\n"

BY_NAME = [
    edit("helper", "def h(x): return x + «1 → 2»\ndef fn(x): return h(x)"),
    edit("helper of a helper", """
        K = «1 → 2»
        def g(): return K
        def h(): return g()
        def fn(x): return h()
    """),
    edit("helper three calls away", """
        def f(x): return x «+ → -» 1
        def g(x): return f(x)
        def h(x): return g(x)
        def fn(x): return h(x)
    """),
    edit("helper that calls back", """
        def h(n): return fn(n - 1) if n else «1 → 2»
        def fn(x): return h(x)
    """),
    edit("three that call each other", """
        def a(n): return b(n - 1) if n > 0 else 0
        def b(n): return c(n - 1) if n > 0 else «1 → 2»
        def c(n): return a(n - 1) if n > 0 else 2
        def fn(x): return a(x)
    """, call="fn(1)"),
    edit("function that calls itself", "def fn(x): return fn(x - 1) if x else «1 → 2»"),
    edit("helpers that exchange their bodies", """
        def g(x): return x «+ 1 → - 1»
        def h(x): return x «- 1 → + 1»
        def fn(x): return g(x), h(x)
    """),
    edit("which helper", """
        def g(x): return x + 1
        def h(x): return x - 1
        def fn(x): return «g → h»(x)
    """),
    edit("helper given to a library function", """
        def h(x): return x «+ → -» 1
        def fn(x): return list(map(h, range(x)))
    """),
    edit("helper under another name", """
        def g(x): return x «+ → -» 1
        h = g
        def fn(x): return h(x)
    """),
    edit("helper defined twice", """
        def h(x): return «1 → 2»
        def h(x): return «2 → 1»
        def fn(x): return h(x)
    """),
    edit("helper used in a nested function", """
        def h(x): return x «+ → -» 1
        def fn(x):
            def g(): return [h(y) for y in range(x)]
            return g()
    """),
    edit("helper that hides a builtin", """
        def «other → sorted»(x): return 'mine'
        def fn(x): return sorted([x])
    """),
    edit("helper of a fallback", """
        try:
            from not_installed_anywhere import h
        except ImportError:
            def h(x): return x «+ → -» 1
        def fn(x): return h(x)
    """),
    edit("which of two definitions", """
        if «True → False»:
            def h(x): return 1
        else:
            def h(x): return 2
        def fn(x): return h(x)
    """),
    edit("helper that another one replaces", """
        import other
        other.h = lambda x: x «+ → -» 5
        def fn(x): return other.h(x)
        --- other.py
        def h(x): return x
    """),
]  # fmt: skip

BY_IMPORT = [
    edit("helper in an own module", f"import other\ndef fn(x): return other.h(x){OTHER}"),
    edit("helper from an own module", f"from other import h\ndef fn(x): return h(x){OTHER}"),
    edit("module as another", f"import other as o\ndef fn(x): return o.h(x){OTHER}"),
    edit("helper as another", f"from other import h as g\ndef fn(x): return g(x){OTHER}"),
    edit("star import", f"from other import *\ndef fn(x): return h(x){OTHER}"),
    edit("function itself from an own module", f"from other import h as fn{OTHER}"),
    edit("data in an own module", "import other\ndef fn(x): return other.K\n--- other.py\nK = «1 → 2»\n"),
    edit("data from an own module", "from other import K\ndef fn(x): return K\n--- other.py\nK = «1 → 2»\n"),
    edit("data set from outside", """
        import other
        other.K = «1 → 2»
        def fn(x): return other.K
        --- other.py
        K = 0
    """),
    edit("global of a helper in an own module", """
        from other import h
        def fn(x): return h(x)
        --- other.py
        K = «1 → 2»
        def h(x): return x + K
    """),
    edit("two globals of one name", """
        from other import h
        K = 5
        def fn(x): return h(x) + K
        --- other.py
        K = «1 → 2»
        def h(x): return x + K
    """),
    edit("two hops by attribute", """
        import other
        def fn(x): return other.h(x)
        --- other.py
        import third
        def h(x): return third.g(x)
        --- third.py
        def g(x): return x + «1 → 2»
    """),
    edit("attribute of an attribute", """
        import other
        def fn(x): return other.third.K
        --- other.py
        import third
        --- third.py
        K = «1 → 2»
    """),
    edit("two hops by name", f"from other import h\ndef fn(x): return h(x){THIRD}"),
    edit("three hops", """
        from other import h
        def fn(x): return h(x)
        --- other.py
        import third as t
        def h(x): return t.g(x)
        --- third.py
        from fourth import *
        def g(x): return f(x)
        --- fourth.py
        def f(x): return x + «1 → 2»
    """),
    edit("modules that import each other", """
        import other
        def fn(x): return other.h(x)
        def back(x): return x «+ → -» 1
        --- other.py
        import app
        def h(x): return app.back(x)
    """),
    edit("from which module", """
        from «other → third» import h
        def fn(x): return h(x)
        --- other.py
        def h(x): return x + 1
        --- third.py
        def h(x): return x + 2
    """),
    edit("which module under one name", """
        import «other → third» as m
        def fn(x): return m.h(x)
        --- other.py
        def h(x): return x + 1
        --- third.py
        def h(x): return x + 2
    """),
    edit("module under another name", f"import other\ndef fn(x):\n    m = other\n    return m.h(x){OTHER}"),
    edit("module under another name, two hops", f"import other\ndef fn(x):\n    m = other\n    return m.h(x){THIRD}"),
    edit("module asked by getattr", f"import other\ndef fn(x): return getattr(other, 'h')(x){OTHER}"),
    edit(
        "module given to a helper",
        f"import other\ndef call(m, x): return m.h(x)\ndef fn(x): return call(other, x){OTHER}",
    ),
    edit("module in a table", f"import other\nT = [other]\ndef fn(x): return T[0].h(x){OTHER}"),
    edit("module as a default", f"import other\ndef fn(x, m=other): return m.h(x){OTHER}"),
    edit("attribute made by the module", """
        import other
        def fn(x): return other.rate
        --- other.py
        def __getattr__(name): return «1 → 2»
    """),
]  # fmt: skip

PACKAGES = [
    edit("module in a package", f"import lib.other\ndef fn(x): return lib.other.h(x){LIB}"),
    edit("module of a package", f"from lib import other\ndef fn(x): return other.h(x){LIB}"),
    edit("helper from a module of a package", f"from lib.other import h\ndef fn(x): return h(x){LIB}"),
    edit("module in a folder without __init__", """
        import lib.other
        def fn(x): return lib.other.h(x)
        --- lib/other.py
        def h(x): return x + «1 → 2»
    """),
    edit("data in a folder without __init__", """
        from lib import other
        def fn(x): return other.K
        --- lib/other.py
        K = «1 → 2»
    """),
    edit("helper that a package shows", """
        import lib
        def fn(x): return lib.h(x)
        --- lib/__init__.py
        from .other import h
        --- lib/other.py
        def h(x): return x + «1 → 2»
    """),
    edit("data that a package shows", """
        from lib import RATE
        def fn(x): return x * RATE
        --- lib/__init__.py
        from lib.other import K as RATE
        --- lib/other.py
        K = «1 → 2»
    """),
    edit("chain to data", """
        import lib.sub.settings
        def fn(x): return lib.sub.settings.CONST
        --- lib/__init__.py
        --- lib/sub/__init__.py
        --- lib/sub/settings.py
        CONST = «1 → 2»
    """),
    edit("chain to a class's attribute", """
        import lib.settings
        def fn(x): return lib.settings.Rates.LOW
        --- lib/__init__.py
        --- lib/settings.py
        class Rates:
            LOW = «1 → 2»
    """),
    edit("chain to an object's attribute", """
        from lib import settings
        def fn(x): return settings.S.rate
        --- lib/__init__.py
        --- lib/settings.py
        import types
        S = types.SimpleNamespace(rate=«1 → 2»)
    """),
    edit("relative import", """
        from lib.inner import fn
        --- lib/__init__.py
        --- lib/inner.py
        from .other import h
        def fn(x): return h(x)
        --- lib/other.py
        def h(x): return x + «1 → 2»
    """),
    edit("relative import of a module above", """
        from lib.sub.inner import fn
        --- lib/__init__.py
        --- lib/sub/__init__.py
        --- lib/sub/inner.py
        from .. import other
        def fn(x): return other.h(x)
        --- lib/other.py
        def h(x): return x + «1 → 2»
    """),
    edit("data in __init__", """
        import lib
        def fn(x): return lib.K
        --- lib/__init__.py
        K = «1 → 2»
    """),
]  # fmt: skip

IN_THE_FUNCTION = [
    edit("import in the function", f"{IN_FUNCTION}{OTHER}"),
    edit("import in the function, two hops", f"{IN_FUNCTION}{THIRD}"),
    edit("import in the function, two hops, loaded", f"import other as _\n{IN_FUNCTION}{THIRD}"),
    edit("from-import in the function", f"def fn(x):\n    from other import h as g\n    return g(x){OTHER}"),
    edit("data by an import in the function", """
        def fn(x):
            from other import K
            return K
        --- other.py
        K = «1 → 2»
    """),
    edit("import in a helper", f"def g(x):\n    import other\n    return other.h(x)\ndef fn(x): return g(x){OTHER}"),
    edit("import in a method", """
        class C:
            def run(self, x):
                from other import h
                return h(x)
        def fn(x): return C().run(x)
        --- other.py
        def h(x): return x + «1 → 2»
    """),
    edit("import in a function of an own module", """
        from third import fn
        --- third.py
        def fn(x):
            import other
            return other.h(x)
        --- other.py
        def h(x): return x + «1 → 2»
    """),
    edit(
        "import of a package's module in the function",
        f"def fn(x):\n    from lib import other\n    return other.h(x){LIB}",
    ),
    edit(
        "import of a dotted module in the function",
        f"def fn(x):\n    import lib.other\n    return lib.other.h(x){LIB}",
    ),
    edit("import of what a package shows in the function", """
        def fn(x):
            from lib import h
            return h(x)
        --- lib/__init__.py
        from .other import h
        --- lib/other.py
        def h(x): return x + «1 → 2»
    """),
    edit("relative import in the function", """
        from lib.inner import fn
        --- lib/__init__.py
        --- lib/inner.py
        def fn(x):
            from .other import h
            return h(x)
        --- lib/other.py
        def h(x): return x + «1 → 2»
    """),
    edit("which module is imported in the function", """
        def fn(x):
            from «other → third» import h
            return h(x)
        --- other.py
        def h(x): return x + 1
        --- third.py
        def h(x): return x + 2
    """),
]  # fmt: skip

LIBRARIES = [
    edit("library function", "import math\ndef fn(x): return math.«floor → ceil»(x)", call="fn(3.5)"),
    edit("library function by name", "from math import «floor → ceil» as f\ndef fn(x): return f(x)", call="fn(3.5)"),
    edit("library function of a dict", """
        import math
        T = {'f': math.«floor → ceil»}
        def fn(x): return T['f'](x)
    """, call="fn(3.5)"),
    edit("library module under one name", """
        import «posixpath → ntpath» as p
        def fn(x): return p.join('a', 'b')
    """),
    edit("library class under one name", """
        from collections import «OrderedDict → Counter» as C
        def fn(x): return type(C()).__name__
    """),
    edit("library constant", "import math\ndef fn(x): return math.«pi → tau»"),
]  # fmt: skip

MUST_CHANGE = [*BY_NAME, *BY_IMPORT, *PACKAGES, *IN_THE_FUNCTION, *LIBRARIES]
