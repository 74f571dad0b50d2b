"""Tables of functions: who is called is decided when the function runs."""

from __future__ import annotations

from tests.unit.engine.fingerprint.edits.edit import Edit, edit


def table(name: str, text: str, *, call: str = "fn(3)") -> Edit:
    """An edit of a table of two functions."""
    return edit(name, f"def g(x): return x + 1\ndef h(x): return x - 1\n{text}", call=call)


MUST_CHANGE = [
    edit("global list of functions", "def h(x): return «1 → 2»\nALL = [h]\ndef fn(x): return ALL[0](x)"),
    edit("global tuple of functions", "def h(x): return «1 → 2»\nALL = (h, len)\ndef fn(x): return ALL[0](x)"),
    edit("global dict of functions", "def h(x): return «1 → 2»\nALL = {'h': h}\ndef fn(x): return ALL['h'](x)"),
    edit("dict by functions", "def h(x): return «1 → 2»\nALL = {h: 'h'}\ndef fn(x): return [f(x) for f in ALL]"),
    edit("set of functions", "def h(x): return «1 → 2»\nALL = {h}\ndef fn(x): return [f(x) for f in ALL]"),
    table("functions exchanged in a dict", "T = {'g': «g → h», 'h': «h → g»}\ndef fn(x): return T['g'](x)"),
    table("functions exchanged in a list", "T = [«g, h → h, g»]\ndef fn(x): return T[0](x)"),
    table("order of a dict of functions", """
T = {«'g': g, 'h': h → 'h': h, 'g': g»}
def fn(x): return [f(x) for f in T.values()]
"""),
    table("function added to a table", "T = [g]\n«... → T.append(h)»\ndef fn(x): return [f(x) for f in T]"),
    table("key of a table", "T = {'«g → h»': g}\ndef fn(x): return T['g'](x)"),
    table("table in a table", "T = {'a': {'b': [«g → h»]}}\ndef fn(x): return T['a']['b'][0](x)"),
    table("table chosen by match", """
def fn(x):
    match x:
        case 3:
            return «g → h»(x)
        case _:
            return «h → g»(x)
"""),
    table("table in the function", "def fn(x): return {'g': «g → h»}['g'](x)"),
    table("table as a default", "def fn(x, t={'g': «g → h»}): return t['g'](x)"),
    table("table in a closure", "def make(t): return lambda x: t[0](x)\nfn = make([«g → h»])"),
    edit("dict of lambdas", "T = {'a': lambda x: x + 1, 'b': lambda x: x «+ → -» 2}\ndef fn(x): return T['b'](x)"),
    edit("lambdas exchanged in a dict", """
        T = {'a': lambda x: x «+ → -» 1, 'b': lambda x: x «- → +» 1}
        def fn(x): return T['a'](x)
    """),
    edit("lambdas exchanged in a list", """
        T = [«lambda x: x + 1, lambda x: x - 1 → lambda x: x - 1, lambda x: x + 1»]
        def fn(x): return T[0](x)
    """),
    edit("lambdas of a comprehension", """
        T = {n: (lambda x, n=n: x + n) for n in (1, «2 → 3»)}
        def fn(x): return [f(x) for f in T.values()]
    """),
    edit("table in an own module", """
        from other import T
        def fn(x): return T['h'](x)
        --- other.py
        def h(x): return x «+ → -» 1
        T = {'h': h}
    """),
    edit("table of an own module, by attribute", """
        import other
        def fn(x): return other.T['h'](x)
        --- other.py
        from third import h
        T = {'h': h}
        --- third.py
        def h(x): return x «+ → -» 1
    """),
    edit("decorator that registers", """
        T = {}
        def register(name): return lambda f: T.setdefault(name, f)
        @register('h')
        def h(x): return x «+ → -» 1
        def fn(x): return T['h'](x)
    """),
    edit("name under which a decorator registers", """
        T = {}
        def register(name): return lambda f: T.setdefault(name, f)
        @register('«h → g»')
        def h(x): return x
        def fn(x): return list(T)
    """),
    edit("function registered in another module", """
        import plugin
        from registry import T
        def fn(x): return T['h'](x)
        --- registry.py
        T = {}
        def register(f):
            T[f.__name__] = f
            return f
        --- plugin.py
        from registry import register
        @register
        def h(x): return x «+ → -» 1
    """),
    edit("classes registered by their base", """
        KINDS = {}
        class Base:
            def __init_subclass__(cls): KINDS[cls.__name__] = cls
        class A(Base):
            def run(self, x): return x «+ → -» 1
        def fn(x): return KINDS['A']().run(x)
    """),
    edit("methods in a table", """
        class C:
            def __init__(self, n): self.n = n
            def run(self, x): return x + self.n
        T = {'a': C(«1 → 2»).run}
        def fn(x): return T['a'](x)
    """),
    edit("classes in a table", """
        class A:
            rate = «1 → 2»
        T = {'a': A}
        def fn(x): return T['a'].rate
    """),
    edit("functions of own modules in a table", """
        import math, other
        T = [math.floor, other.h]
        def fn(x): return T[1](x)
        --- other.py
        def h(x): return x «+ → -» 1
    """),
    edit("table that holds itself", """
        T = {'rate': «1 → 2»}
        T['me'] = T
        def fn(x): return T['me']['rate']
    """),
    edit("table of pairs", """
        def h(x): return x «+ → -» 1
        T = [('h', h, {'rate': 1})]
        def fn(x): return [f(x) for _, f, _ in T]
    """),
]  # fmt: skip

MUST_CHANGE_OR_BE_REFUSED = [
    edit("factory of a defaultdict", """
        import collections
        T = collections.defaultdict(lambda: «1 → 2»)
        def fn(x): return T[x]
    """),
    edit("functions in a deque", """
        import collections
        def h(x): return x «+ → -» 1
        T = collections.deque([h])
        def fn(x): return T[0](x)
    """),
    edit("functions in a read-only view", """
        import types
        def h(x): return x «+ → -» 1
        T = types.MappingProxyType({'h': h})
        def fn(x): return T['h'](x)
    """),
    edit("functions in a namespace", """
        import types
        def h(x): return x «+ → -» 1
        T = types.SimpleNamespace(h=h)
        def fn(x): return T.h(x)
    """),
]  # fmt: skip
