"""Decorators: one's own and those of libraries, what they wrap and what they are given."""

from __future__ import annotations

from tests.unit.engine.fingerprint.edits.edit import edit

TWICE = """
import functools
def twice(f):
    @functools.wraps(f)
    def inner(*args):
        return f(*args) * 2
    return inner
"""

OWN = [
    edit("own decorator", TWICE.replace("* 2", "* «2 → 3»") + "@twice\ndef fn(x): return x + 1"),
    edit("what an own decorator wraps", f"{TWICE}@twice\ndef fn(x): return x + «1 → 2»"),
    edit("own decorator taken away", f"{TWICE}«@twice → »\ndef fn(x): return x + 1"),
    edit("own decorator twice", f"{TWICE}@twice\n« → @twice»\ndef fn(x): return x + 1"),
    edit("own decorator without wraps", """
        def twice(f):
            def inner(x): return f(x) * «2 → 3»
            return inner
        @twice
        def fn(x): return x + 1
    """),
    edit("what an own decorator without wraps wraps", """
        def twice(f):
            def inner(x): return f(x) * 2
            return inner
        @twice
        def fn(x): return x + «1 → 2»
    """),
    edit("helper of an own decorator", """
        import functools
        def double(y): return y * «2 → 3»
        def twice(f):
            @functools.wraps(f)
            def inner(x): return double(f(x))
            return inner
        @twice
        def fn(x): return x + 1
    """),
    edit("own decorator of an own module", """
        from other import twice
        @twice
        def fn(x): return x + 1
        --- other.py
        import functools
        def twice(f):
            @functools.wraps(f)
            def inner(x): return f(x) * «2 → 3»
            return inner
    """),
    edit(
        "own decorator of a helper",
        f"{TWICE.replace('* 2', '* «2 → 3»')}@twice\ndef h(x): return x\ndef fn(x): return h(x)",
    ),
    edit("argument of an own decorator", """
        import functools
        def times(n):
            def decorate(f):
                @functools.wraps(f)
                def inner(x): return f(x) * n
                return inner
            return decorate
        @times(«2 → 3»)
        def fn(x): return x + 1
    """),
    edit("order of own decorators", """
        def twice(f): return lambda x: f(x) * 2
        def more(f): return lambda x: f(x) + 1
        @«twice → more»
        @«more → twice»
        def fn(x): return x
    """),
    edit("decorator maker that reads a global", """
        RATE = «2 → 3»
        def times():
            n = RATE
            return lambda f: lambda x: f(x) * n
        @times()
        def fn(x): return x + 1
    """),
    edit("decorator whose wrapper reads a global", """
        RATE = «2 → 3»
        def times(f): return lambda x: f(x) * RATE
        @times
        def fn(x): return x + 1
    """),
    edit("own decorator that is a class", """
        class Twice:
            def __init__(self, f): self.f = f
            def __call__(self, x): return self.f(x) * «2 → 3»
        @Twice
        def fn(x): return x + 1
    """),
    edit("what an own decorator that is a class wraps", """
        class Twice:
            def __init__(self, f): self.f = f
            def __call__(self, x): return self.f(x) * 2
        @Twice
        def fn(x): return x + «1 → 2»
    """),
    edit("argument of an own decorator that is a class", """
        class Times:
            def __init__(self, n): self.n = n
            def __call__(self, f): return lambda x: f(x) * self.n
        @Times(«2 → 3»)
        def fn(x): return x + 1
    """),
    edit("decorator that gives another function", """
        def instead(f): return lambda x: x «+ → -» 7
        @instead
        def fn(x): return x
    """),
    edit("decorator that marks the function", """
        def rated(n):
            def mark(f):
                f.rate = n
                return f
            return mark
        @rated(«1 → 2»)
        def fn(x): return x * fn.rate
    """),
    edit("decorator that reads the function's name", """
        def named(f): return lambda x: f.__name__
        @named
        def «h → g»(x): return x
        fn = «h → g»
    """),
    edit("decorator applied by a call", """
        def twice(f): return lambda x: f(x) * «2 → 3»
        def h(x): return x + 1
        fn = twice(h)
    """),
    edit("decorator of a method", """
        def twice(f): return lambda self, x: f(self, x) * «2 → 3»
        class C:
            @twice
            def run(self, x): return x + 1
        def fn(x): return C().run(x)
    """),
    edit("decorator of a class", """
        def rated(n):
            def add(cls):
                cls.rate = lambda self: n
                return cls
            return add
        @rated(«1 → 2»)
        class C: ...
        def fn(x): return C().rate()
    """),
]  # fmt: skip

LIBRARY = [
    edit("what lru_cache wraps", "import functools\n@functools.lru_cache\ndef fn(x): return x + «1 → 2»"),
    edit("what lru_cache of a size wraps", """
        import functools
        @functools.lru_cache(maxsize=9)
        def fn(x): return x + «1 → 2»
    """),
    edit("global of what cache wraps", "import functools\nK = «1 → 2»\n@functools.cache\ndef fn(x): return x + K"),
    edit("helper in lru_cache", """
        import functools
        @functools.lru_cache
        def h(x): return x + «1 → 2»
        def fn(x): return h(x)
    """),
    edit("size of lru_cache", """
        import functools
        @functools.lru_cache(maxsize=«1 → 2»)
        def h(x): return x
        def fn(x): return h.cache_info().maxsize
    """),
    edit("types of lru_cache", """
        import functools
        @functools.lru_cache(typed=«False → True»)
        def h(x, y): return [x]
        def fn(x): return h(1, 2), h(True, 2)
    """),
    edit("lru_cache taken away", """
        import functools
        «@functools.lru_cache → »
        def h(x): return [x]
        def fn(x): return h(x) is h(x)
    """),
    edit("what contextmanager wraps", """
        import contextlib
        @contextlib.contextmanager
        def scale():
            yield «1 → 2»
        def fn(x):
            with scale() as s:
                return x * s
    """),
    edit("what singledispatch wraps", "import functools\n@functools.singledispatch\ndef fn(x): return x + «1 → 2»"),
    edit("function registered with singledispatch", """
        import functools
        @functools.singledispatch
        def fn(x): return 0
        @fn.register(int)
        def _(x): return «1 → 2»
    """),
    edit("type registered with singledispatch", """
        import functools
        @functools.singledispatch
        def fn(x): return 0
        @fn.register(«int → str»)
        def _(x): return 1
    """),
    edit("type registered by its annotation", """
        import functools
        @functools.singledispatch
        def fn(x): return 0
        @fn.register
        def _(x: «int → str»): return 1
    """),
    edit("registered in another module", """
        import other
        from base import fn
        --- base.py
        import functools
        @functools.singledispatch
        def fn(x): return 0
        --- other.py
        from base import fn
        @fn.register(int)
        def _(x): return «1 → 2»
    """),
    edit("function in wraps", """
        import functools
        def h(x, y=«1 → 2»): return x
        @functools.wraps(h)
        def fn(x): return x + fn.__wrapped__.__defaults__[0]
    """),
    edit("reduce over own functions", """
        import functools
        def add(x): return x «+ → -» 1
        def double(x): return x * 2
        STEPS = (add, double)
        def fn(x): return functools.reduce(lambda value, step: step(value), STEPS, x)
    """),
]  # fmt: skip

MUST_CHANGE = [*OWN, *LIBRARY]
