"""What a function is made with: parameters, defaults, closures, lambdas, partials."""

from __future__ import annotations

from tests.unit.engine.fingerprint.edits.edit import edit

PARAMETERS = [
    edit("order of parameters", "def fn(«x, y → y, x»): return x - y", call="fn(3, 1)"),
    edit("default", "def fn(x, y=«1 → 2»): return x + y"),
    edit("default taken away", "def fn(x, y«=1 → »): return x"),
    edit("type of a default", "def fn(x, y=«1 → True»): return y"),
    edit("default that is a list", "def fn(x, y=[1, «2 → 3»]): return y"),
    edit("default that is a name", """
        A, B = 1, 2
        def fn(x, y=«A → B»): return y
    """),
    edit("default that was computed", """
        A = «1 → 2»
        def fn(x, y=A + 1): return y
    """),
    edit("default that is a helper", """
        def h(): return «1 → 2»
        def fn(x, y=h): return y()
    """),
    edit("default that is a class of one's own", """
        class C:
            rate = «1 → 2»
        def fn(x, y=C): return y.rate
    """),
    edit("default that is an object of one's own", """
        class C:
            def __init__(self, rate): self.rate = rate
        def fn(x, y=C(«1 → 2»)): return y.rate
    """),
    edit("default that is a lambda", "def fn(x, y=lambda z: z «+ → -» 1): return y(x)"),
    edit("keyword default", "def fn(x, *, y=«1 → 2»): return x + y"),
    edit("keyword-only", "def fn(x, «y → *, y»=1): return x + y", call="fn(3, 2)"),
    edit("positional-only", "def fn(x, y=1« → , /»): return x + y", call="fn(3, y=2)"),
    edit("star of the other arguments", "def fn(x, «*y → y=()»): return y", call="fn(3, 4)"),
    edit("stars of the other keywords", "def fn(x, «**y → y=0»): return y"),
    edit("default of a helper", """
        def h(x, y=«1 → 2»): return x + y
        def fn(x): return h(x)
    """),
    edit("defaults changed afterwards", """
        def fn(x, y=1): return x + y
        fn.__defaults__ = («1 → 2»,)
    """),
]  # fmt: skip

CLOSURES = [
    edit("closure value", """
        def make(n):
            def fn(x): return x + n
            return fn
        fn = make(«1 → 2»)
    """),
    edit("type of a closure value", """
        def make(n):
            def fn(x): return [x, n]
            return fn
        fn = make(«1 → True»)
    """),
    edit("closure function", """
        def make(n):
            def fn(x): return n(x)
            return fn
        fn = make(lambda x: x + «1 → 2»)
    """),
    edit("closure object", """
        class C:
            def __init__(self, rate): self.rate = rate
        def make(n):
            return lambda x: x * n.rate
        fn = make(C(«1 → 2»))
    """),
    edit("closure in a closure", """
        def make(n):
            def outer():
                def inner(x): return x + n
                return inner
            return outer()
        fn = make(«1 → 2»)
    """),
    edit("closure of a helper", """
        def make(n):
            return lambda x: x + n
        h = make(«1 → 2»)
        def fn(x): return h(x)
    """),
    edit("closure that calls itself", """
        def make(n):
            def fn(x): return fn(x - 1) if x else n
            return fn
        fn = make(«1 → 2»)
    """),
    edit("closures that exchange their values", """
        def make(a, b):
            def fn(x): return a - b
            return fn
        fn = make(«1, 2 → 2, 1»)
    """),
    edit("nonlocal in a closure", """
        def make():
            n = 0
            def fn(x):
                nonlocal n
                n += «1 → 2»
                return n
            return fn
        fn = make()
    """),
    edit("what a closure's maker computes", """
        def make(n):
            k = n «+ → *» 5
            return lambda x: x + k
        fn = make(1)
    """),
]  # fmt: skip

LAMBDAS = [
    edit("lambda constant", "fn = lambda x: x + «1 → 2»"),
    edit("lambda default", "fn = lambda x, y=«1 → 2»: x + y"),
    edit("first lambda of a line", "fn, other = lambda x: x + «1 → 3», lambda x: x + 2"),
    edit("second lambda of a line", "other, fn = lambda x: x + 1, lambda x: x + «2 → 1»"),
    edit("lambda in a call", """
        def chain(*fs): return lambda x: [f(x) for f in fs]
        fn = chain(lambda x: x + 1, lambda x: x «+ → -» 2)
    """),
    edit("order of lambdas in a call", """
        def chain(*fs): return lambda x: [f(x) for f in fs]
        fn = chain(«lambda x: x + 1, lambda x: x * 2 → lambda x: x * 2, lambda x: x + 1»)
    """),
    edit("lambda over several lines", """
        fn = (
            lambda x: x
            + «1 → 2»
        )
    """),
    edit("lambda of a dict", """
        T = {'a': lambda x: x + 1, 'b': lambda x: x + «2 → 3»}
        fn = T['b']
    """),
    edit("lambda in a loop, by default", """
        fns = []
        for n in (1, «2 → 3»):
            fns.append(lambda x, n=n: x + n)
        fn = fns[1]
    """),
    edit("lambda in a loop, by the global", """
        fns = []
        for n in (1, «2 → 3»):
            fns.append(lambda x: x + n)
        fn = fns[0]
    """),
    edit("lambda of a comprehension", "fn = [lambda x: x + n for n in (1, «2 → 3»)][0]"),
    edit("lambda that is chosen", "fn = [lambda x: x + 1, lambda x: x + 2][«0 → 1»]"),
    edit("lambda in a lambda", "fn = (lambda n: lambda x: x + n)(«1 → 2»)"),
]  # fmt: skip

PARTIALS = [
    edit("partial argument", """
        import functools
        def f(x, y): return x + y
        fn = functools.partial(f, y=«1 → 2»)
    """),
    edit("partial argument by place", """
        import functools
        def f(y, x): return x + y
        fn = functools.partial(f, «1 → 2»)
    """),
    edit("function of a partial", """
        import functools
        def f(x, y): return x «+ → -» y
        fn = functools.partial(f, y=1)
    """),
    edit("partial of a partial", """
        import functools
        def f(x, y, z): return x + y * z
        fn = functools.partial(functools.partial(f, y=«1 → 2»), z=3)
    """),
    edit("partial of a method", """
        import functools
        class C:
            def __init__(self, rate): self.rate = rate
            def run(self, x, y): return x * self.rate + y
        fn = functools.partial(C(«1 → 2»).run, y=1)
    """),
    edit("partial of a lambda", """
        import functools
        fn = functools.partial(lambda x, y: x «+ → -» y, y=1)
    """),
    edit("partial of a class", """
        import functools
        class C:
            def __init__(self, x, y): self.sum = x + y
        make = functools.partial(C, y=«1 → 2»)
        def fn(x): return make(x).sum
    """),
    edit("function given to a partial", """
        import functools
        def h(x): return x «+ → -» 1
        def f(x, g): return g(x)
        fn = functools.partial(f, g=h)
    """),
    edit("partial of a library function", """
        import functools
        fn = functools.partial(«max → min», 5)
    """),
    edit("partial that is a global", """
        import functools
        def f(x, y): return x + y
        h = functools.partial(f, y=«1 → 2»)
        def fn(x): return h(x)
    """),
    edit("partial in a table", """
        import functools
        def f(x, y): return x + y
        T = [functools.partial(f, y=«1 → 2»)]
        def fn(x): return T[0](x)
    """),
]  # fmt: skip

ATTRIBUTES = [
    edit("attribute of a function", """
        def fn(x): return x * fn.rate
        fn.rate = «1 → 2»
    """),
    edit("attribute of a helper", """
        def h(x): return x
        h.rate = «1 → 2»
        def fn(x): return h.rate
    """),
    edit("text that a bound method belongs to", "fn = '«- → +»'.join", call="fn('ab')"),
    edit("table that a bound method belongs to", """
        get = {'a': «1 → 2»}.get
        def fn(x): return get(x)
    """, call="fn('a')"),
    edit("pattern that a bound method belongs to", """
        import re
        fn = re.compile('«a → b»').findall
    """, call="fn('ab')"),
    edit("attribute that a library function is asked for", """
        import operator
        fn = operator.attrgetter('«real → imag»')
    """),
]  # fmt: skip

MUST_CHANGE = [*PARAMETERS, *CLOSURES, *LAMBDAS, *PARTIALS]
MUST_CHANGE_OR_BE_REFUSED = ATTRIBUTES
