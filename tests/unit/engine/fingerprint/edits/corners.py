"""Corners: code that was replaced, values that look like others, names that hide, depths."""

from __future__ import annotations

from tests.unit.engine.fingerprint.edits.edit import edit, rewrite

OPERATORS = [
    edit(f"{one} for {other}", f"def fn(x): return x «{one} → {other}» 2", call="fn(7)")
    for one, other in [
        ("+", "-"),
        ("*", "**"),
        ("/", "//"),
        ("%", "//"),
        ("<<", ">>"),
        ("&", "|"),
        ("|", "^"),
        ("==", "!="),
        ("<", ">"),
        ("<=", ">="),
    ]
] + [
    edit("sign", "def fn(x): return «- → ~»x"),
    edit("matrices", """
        class M:
            def __matmul__(self, x): return 1
            def __mul__(self, x): return 2
        def fn(x): return M() «@ → *» x
    """),
    edit("in for not in", "def fn(x): return x «in → not in» (1, 2)"),
    edit("nesting of conditions", "def fn(x): return «x or 0 and 0 → (x or 0) and 0»"),
    edit("order of contexts", """
        import contextlib
        @contextlib.contextmanager
        def say(seen, what):
            seen.append(what)
            yield
        def fn(x):
            seen = []
            with «say(seen, 1), say(seen, 2) → say(seen, 2), say(seen, 1)»:
                return seen
    """),
    edit("order of targets", """
        def fn(x):
            y = [0, 0]
            i = 0
            «i = y[i] → y[i] = i» = 1
            return i, y
    """),
]  # fmt: skip

NAMES = [
    edit("error that hides a local", """
        def fn(x):
            y = 1
            try:
                raise ValueError
            except ValueError as «y → z»:
                pass
            return y
    """),
    edit("loop in a comprehension that hides another", "def fn(x): return [y for y in [[1], [x]] for «y → z» in y]"),
    edit("walrus that leaves a comprehension", """
        def fn(x):
            y = 0
            [(«y → z» := n) for n in range(x)]
            return y
    """),
    edit("capture that hides a local", """
        def fn(x):
            y = 0
            match x:
                case «y → z»: ...
            return y
    """),
    edit("local before it is set", """
        y = 1
        def fn(x):
            try:
                return y
            except NameError:
                return 'none'
            « → y = 2»
    """),
    edit("name of a class that hides its attributes", """
        class «A → B»:
            def __init__(self): self.__a = 1
        def fn(x): return vars(«A → B»())
    """),
    edit("name of a function under another name", """
        def «g → k»(x): ...
        h = «g → k»
        def fn(x): return h.__name__
    """),
    edit("own module named like one of Python's", """
        import colorsys
        def fn(x): return colorsys.h(x)
        --- colorsys.py
        def h(x): return x «+ → -» 1
    """),
    edit("names that a star import brings", """
        from base import *
        from other import *
        def fn(x): return h(x)
        --- base.py
        def h(x): return x + 1
        --- other.py
        __all__ = [«'h' → »]
        def h(x): return x - 1
    """),
]  # fmt: skip

REPLACED = [
    edit("code of a function replaced", """
        def fn(x): return x
        def g(x): return x «+ → -» 1
        fn.__code__ = g.__code__
    """),
    edit("function made of a function's code", """
        import types
        def h(x): return x + K
        fn = types.FunctionType(h.__code__, {'K': «1 → 2»})
    """),
    edit("method made of a function", """
        import types
        class C: ...
        M = C()
        M.rate = «1 → 2»
        fn = types.MethodType(lambda self, x: x * self.rate, M)
    """),
    edit("method set on an object", """
        class C:
            def run(self, x): return x
        M = C()
        M.run = lambda x: x «+ → -» 1
        def fn(x): return M.run(x)
    """),
    edit("class of an object changed", """
        class A:
            rate = 1
        class B:
            rate = 2
        M = A()
        M.__class__ = «A → B»
        def fn(x): return M.rate
    """),
    edit("bases of a class changed", """
        class A:
            rate = 1
        class B:
            rate = 2
        class C(A): ...
        C.__bases__ = («A → B»,)
        def fn(x): return C.rate
    """),
    edit("global static method", """
        h = staticmethod(lambda x: x «+ → -» 1)
        def fn(x): return h(x)
    """),
]  # fmt: skip

LOOKALIKES = [
    edit("named tuple for a tuple", """
        import collections
        P = collections.namedtuple('P', 'a')
        V = «P(1) → (1,)»
        def fn(x): return V
    """),
    edit("ordered dict for a dict", """
        import collections
        V = «collections.OrderedDict(a=1) → dict(a=1)»
        def fn(x): return V
    """),
    edit("counter for a dict", """
        import collections
        V = «collections.Counter(a=1) → dict(a=1)»
        def fn(x): return V['b']
    """),
    edit("number of numpy for a float", "import numpy as np\nV = «np.float64(1.5) → 1.5»\ndef fn(x): return V"),
    edit("truth of numpy for a truth", "import numpy as np\nV = «np.bool_(True) → True»\ndef fn(x): return V"),
    edit("enumeration's number for a number", """
        import enum
        class C(enum.IntEnum):
            A = 1
        V = «C.A → 1»
        def fn(x): return V
    """),
    edit("enumeration's text for a text", """
        import enum
        class C(str, enum.Enum):
            A = 'a'
        V = «C.A → 'a'»
        def fn(x): return repr(V)
    """),
    edit("objects of two classes that look alike", """
        class A: ...
        class B: ...
        V = «A → B»()
        def fn(x): return type(V).__name__
    """),
    edit("class for its object", "class A:\n    def __repr__(self): return 'A'\nV = «A → A()»\ndef fn(x): return V"),
    edit("function for its name", "V = «len → 'len'»\ndef fn(x): return V"),
    edit("module for its name", "import math\nV = «math → 'math'»\ndef fn(x): return V"),
]  # fmt: skip

READERS = [
    edit("docstring of a nested function that is read", """
        def fn(x):
            def g():
                '''«Rate → Translate» this.'''
            return g.__doc__
    """),
    edit("annotation of a nested function that is read", """
        def fn(x):
            def g(y: «int → str»): ...
            return str(g.__annotations__)
    """),
    edit("docstring of a nested class's method that is read", """
        def fn(x):
            class C:
                def run(self):
                    '''«Rate → Translate» this.'''
            return C.run.__doc__
    """),
    edit("docstring that an object reads later", """
        class Tool:
            def __init__(self, f): self.f = f
            def prompt(self): return self.f.__doc__
        def h(x):
            '''«Rate → Translate» this.'''
        TOOL = Tool(h)
        def fn(x): return TOOL.prompt()
    """),
    edit("docstring that is read under another name", """
        from inspect import getdoc as ask
        def h(x):
            '''«Rate → Translate» this.'''
        def fn(x): return ask(h)
    """),
    edit("docstring of a bound method that is read", """
        import inspect
        class C:
            def run(self, x):
                '''«Rate → Translate» this.'''
        M = C()
        def fn(x): return inspect.getdoc(M.run)
    """),
    edit("docstring that a partial's library function reads", """
        import functools, inspect
        def h(x):
            '''«Rate → Translate» this.'''
        describe = functools.partial(inspect.getdoc, h)
        def fn(x): return describe()
    """),
    edit("docstring of a function in a closure", """
        import inspect
        def make(f): return lambda x: inspect.getdoc(f)
        def h(x):
            '''«Rate → Translate» this.'''
        fn = make(h)
    """),
    edit("docstring of a function in a default", """
        import inspect
        def h(x):
            '''«Rate → Translate» this.'''
        def fn(x, f=h): return inspect.getdoc(f)
    """),
    edit("docstring of an imported function that is read", """
        import inspect, other
        def fn(x): return inspect.getdoc(other.h)
        --- other.py
        def h(x):
            '''«Rate → Translate» this.'''
    """),
    edit("docstring read by getattr", """
        def h(x):
            '''«Rate → Translate» this.'''
        def fn(x): return getattr(h, '__doc__')
    """),
    edit("docstring of a class's method, the class given to a library", """
        import pydoc
        class C:
            def run(self, x):
                '''«Rate → Translate» this.'''
        def fn(x): return pydoc.plain(pydoc.render_doc(C))
    """),
    edit("annotation as a text that is read", """
        from __future__ import annotations
        def h(x: «int → str»): ...
        def fn(x): return h.__annotations__
    """),
    edit("field's type as a text", """
        from __future__ import annotations
        import dataclasses
        @dataclasses.dataclass
        class P:
            a: «int → str»
        def fn(x): return dataclasses.fields(P)[0].type
    """),
]  # fmt: skip

DEEP = [
    rewrite("long sum", f"def fn(x): return x{' + 1' * 800}", f"def fn(x): return x{' + 1' * 799} + 2"),
    rewrite(
        "long chain of helpers",
        "".join(f"def h{n}(x): return h{n + 1}(x)\n" for n in range(400)) + "def h400(x): return 1\nfn = h0\n",
        "".join(f"def h{n}(x): return h{n + 1}(x)\n" for n in range(400)) + "def h400(x): return 2\nfn = h0\n",
    ),
    edit("deep list", "V = «1 → 2»\nfor _ in range(150): V = [V]\ndef fn(x): return V"),
]

STRANGE = [
    edit("list deeper than data may be", "V = «1 → 2»\nfor _ in range(500): V = [V]\ndef fn(x): return V"),
    edit("long chain of objects", """
        class C:
            def __init__(self, next): self.next = next
        V = «1 → 2»
        for _ in range(500): V = C(V)
        def fn(x):
            v = V
            while isinstance(v, C): v = v.next
            return v
    """),
    edit("attribute of an own dict", """
        class T(dict): ...
        V = T()
        V.rate = «1 → 2»
        def fn(x): return V.rate
    """),
    edit("attribute of an own list", """
        class T(list): ...
        V = T()
        V.rate = «1 → 2»
        def fn(x): return V.rate
    """),
    edit("message of an error that is a global", "V = ValueError('«a → b»')\ndef fn(x): return str(V)"),
    edit("iterator", "V = iter([«1 → 2»])\ndef fn(x): return next(V)"),
    edit("iterator over an own function", "def h(x): return x «+ → -» 1\nV = map(h, [1])\ndef fn(x): return next(V)"),
    edit("generator that is a global", "def h():\n    yield «1 → 2»\nV = h()\ndef fn(x): return next(V)"),
    edit("order by an own function", """
        import functools
        def compare(a, b): return a «- → +» b
        KEY = functools.cmp_to_key(compare)
        def fn(x): return sorted([3, 1, 2], key=KEY)
    """),
    edit("caller of a method", """
        import operator
        V = operator.methodcaller('«upper → lower»')
        def fn(x): return V('Ab')
    """),
    edit("object that says it is another", """
        class A:
            def __init__(self, n): self.n = n
            @property
            def __class__(self): return int
        V = A(«1 → 2»)
        def fn(x): return V.n
    """),
    edit("object that answers for every attribute", """
        class A:
            def __init__(self, n): object.__setattr__(self, 'n', n)
            def __getattribute__(self, name): return object.__getattribute__(self, 'n')
        V = A(«1 → 2»)
        def fn(x): return V.whatever
    """),
    edit("class whose metaclass answers for every attribute", """
        class Meta(type):
            def __getattr__(cls, name): return cls.n
        class A(metaclass=Meta):
            n = «1 → 2»
        def fn(x): return A.whatever
    """),
    edit("module replaced by an object", """
        import other
        def fn(x): return other.rate
        --- other.py
        import sys
        class Settings:
            rate = «1 → 2»
        sys.modules[__name__] = Settings()
    """),
    edit("source that is read", """
        import inspect
        def h(x): return x  # «one → two»
        def fn(x): return inspect.getsource(h)
    """),
    edit("array of objects", "import numpy as np\nV = np.array([{'a': «1 → 2»}], dtype=object)\ndef fn(x): return V"),
    edit("masked array", "import numpy as np\nV = np.ma.array([1, 2], mask=[0, «0 → 1»])\ndef fn(x): return V"),
    edit("own kind of array", """
        import numpy as np
        class A(np.ndarray): ...
        V = np.array([1])« → .view(A)»
        def fn(x): return type(V).__name__
    """),
    edit("notes on a table", """
        import pandas as pd
        V = pd.DataFrame({'a': [1]})
        V.attrs['unit'] = '«m → s»'
        def fn(x): return V.attrs
    """),
    edit("notes on an image", """
        from PIL import Image
        V = Image.new('L', (1, 1))
        V.info['unit'] = '«m → s»'
        def fn(x): return V.info
    """),
    edit("module imported by a text", """
        import importlib
        def fn(x): return importlib.import_module('other').h(x)
        --- other.py
        def h(x): return x «+ → -» 1
    """),
]  # fmt: skip

MUST_CHANGE = [*OPERATORS, *NAMES, *REPLACED, *LOOKALIKES, *READERS, *DEEP]
MUST_CHANGE_OR_BE_REFUSED = STRANGE
