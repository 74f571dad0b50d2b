"""Classes of one's own: methods, attributes, bases, and objects made of them."""

from __future__ import annotations

from tests.unit.engine.fingerprint.edits.edit import Edit, edit

MODEL = """
class Base:
    scale = 2
    def apply(self, x): return x * self.scale
class Model(Base):
    def __init__(self, bias=0): self.bias = bias
    @property
    def weight(self): return 10
    @staticmethod
    def clean(x): return x + 100
    @classmethod
    def build(cls, x): return cls(x + 1000)
    def run(self, x): return self.apply(x) + self.bias
"""


def model(name: str, old: str, new: str, use: str = "def fn(x): return Model().run(x)") -> Edit:
    """An edit of the one class, or of what uses it."""
    assert old in MODEL + use
    return edit(name, (MODEL + use).replace(old, f"«{old} → {new}»"))


MEMBERS = [
    model("method", "+ self.bias", "- self.bias", "def fn(x): return Model(1).run(x)"),
    model("inherited method", "x * self.scale", "x / self.scale"),
    model("class attribute", "scale = 2", "scale = 3"),
    model("default of a method", "bias=0", "bias=1"),
    model("property", "10", "11", "def fn(x): return Model().weight"),
    model("static method", "+ 100", "+ 101", "def fn(x): return Model.clean(x)"),
    model("class method", "+ 1000", "+ 1001", "def fn(x): return Model.build(x).bias"),
    model("base added", "(Base):", "(Base, dict):", "def fn(x): return len(Model.__mro__)"),
    model("state of a method's self", "bias=5", "bias=6", "fn = Model(bias=5).run"),
    model("method that is the function", "+ self.bias", "- self.bias", "fn = Model(bias=5).run"),
    model("static method that is the function", "+ 100", "+ 101", "fn = Model.clean"),
    model(
        "class method that is the function",
        "+ 1000",
        "+ 1001",
        "make = Model.build\ndef fn(x): return make(x).bias",
    ),
    model("state of a global object", "bias=5", "bias=6", "M = Model(bias=5)\ndef fn(x): return M.run(x)"),
    model("method of a global object", "x * self.scale", "x / self.scale", "M = Model(5)\ndef fn(x): return M.run(x)"),
    model("object in a table", "Model(5)", "Model(6)", "T = {'a': [Model(5)]}\ndef fn(x): return T['a'][0].run(x)"),
    model("object's attribute by chain", "Model(5)", "Model(6)", "M = Model(5)\ndef fn(x): return M.bias"),
    edit("cached property", """
        import functools
        class C:
            @functools.cached_property
            def rate(self): return «1 → 2»
        def fn(x): return C().rate
    """),
    edit("setter of a property", """
        class C:
            @property
            def rate(self): return self._rate
            @rate.setter
            def rate(self, value): self._rate = value «+ → -» 1
        def fn(x):
            c = C()
            c.rate = x
            return c.rate
    """),
    edit("partial method", """
        import functools
        class C:
            def run(self, x, y): return x + y
            more = functools.partialmethod(run, y=«1 → 2»)
        def fn(x): return C().more(x)
    """),
    edit("method of a library's decorator", """
        import functools
        class C:
            @functools.singledispatchmethod
            def run(self, x): return x + «1 → 2»
        def fn(x): return C().run(x)
    """),
    edit("operator", """
        class C:
            def __add__(self, x): return x «+ → -» 1
        def fn(x): return C() + x
    """),
    edit("descriptor", """
        class Rate:
            def __get__(self, instance, owner): return «1 → 2»
        class C:
            rate = Rate()
        def fn(x): return C().rate
    """),
    edit("state of a descriptor", """
        class Rate:
            def __init__(self, n): self.n = n
            def __get__(self, instance, owner): return self.n
        class C:
            rate = Rate(«1 → 2»)
        def fn(x): return C().rate
    """),
    edit("attribute asked for by __getattr__", """
        class C:
            def __getattr__(self, name): return «1 → 2»
        def fn(x): return C().anything
    """),
    edit("class attribute that is a function", """
        def h(x): return x «+ → -» 1
        class C:
            step = staticmethod(h)
        def fn(x): return C.step(x)
    """),
    edit("class attribute that is a lambda", """
        class C:
            step = lambda self, x: x «+ → -» 1
        def fn(x): return C().step(x)
    """),
    edit("table of functions in a class", """
        def g(x): return x + 1
        def h(x): return x - 1
        class C:
            steps = {'a': «g → h», 'b': «h → g»}
        def fn(x): return C.steps['a'](x)
    """),
    edit("global that a class reads", """
        RATE = «1 → 2»
        class C:
            def run(self, x): return x * RATE
        def fn(x): return C().run(x)
    """),
    edit("helper that a class calls", """
        def h(x): return x «+ → -» 1
        class C:
            def run(self, x): return h(x)
        def fn(x): return C().run(x)
    """),
    edit("nested class of a class", """
        class C:
            class Settings:
                rate = «1 → 2»
        def fn(x): return C.Settings.rate
    """),
    edit("class attribute set afterwards", """
        class C: ...
        C.rate = «1 → 2»
        def fn(x): return C.rate
    """),
    edit("method replaced afterwards", """
        class C:
            def run(self, x): return x
        C.run = lambda self, x: x «+ → -» 1
        def fn(x): return C().run(x)
    """),
    edit("name of an attribute's slot", """
        class C:
            __slots__ = ('«a → b»',)
        def fn(x): return C.__slots__
    """),
    edit("state in slots", """
        class C:
            __slots__ = ('rate',)
            def __init__(self, rate): self.rate = rate
        M = C(«1 → 2»)
        def fn(x): return M.rate
    """),
    edit("order of methods that is read", """
        class C:
            «def a(self): ... → def b(self): ...»
            «def b(self): ... → def a(self): ...»
        def fn(x): return [name for name in vars(C) if len(name) == 1]
    """),
]  # fmt: skip

BASES = [
    edit("base in an own module", """
        from other import Base
        class C(Base): ...
        def fn(x): return C().run(x)
        --- other.py
        class Base:
            def run(self, x): return x «+ → -» 1
    """),
    edit("base by attribute", """
        import other
        class C(other.Base): ...
        def fn(x): return C().run(x)
        --- other.py
        class Base:
            def run(self, x): return x «+ → -» 1
    """),
    edit("base of a base", """
        class A:
            rate = «1 → 2»
        class B(A): ...
        class C(B): ...
        def fn(x): return C.rate
    """),
    edit("which base", """
        class A:
            rate = 1
        class B:
            rate = 2
        class C(«A → B»): ...
        def fn(x): return C.rate
    """),
    edit("order of bases", """
        class A:
            rate = 1
        class B:
            rate = 2
        class C(«A, B → B, A»): ...
        def fn(x): return C.rate
    """),
    edit("mixin", """
        class Mixin:
            def run(self, x): return self.rate «+ → -» x
        class C(Mixin):
            rate = 5
        def fn(x): return C().run(x)
    """),
    edit("super", """
        class A:
            def run(self, x): return x «+ → -» 1
        class B(A):
            def run(self, x): return super().run(x) * 2
        def fn(x): return B().run(x)
    """),
    edit("super taken away", """
        class A:
            def run(self, x): return x + 1
        class B(A):
            def run(self, x): return «super().run(x) → x» * 2
        def fn(x): return B().run(x)
    """),
    edit("base that registers its children", """
        class Base:
            def __init_subclass__(cls): cls.rate = «1 → 2»
        class C(Base): ...
        def fn(x): return C.rate
    """),
    edit("argument for __init_subclass__", """
        class Base:
            def __init_subclass__(cls, rate): cls.rate = rate
        class C(Base, rate=«1 → 2»): ...
        def fn(x): return C.rate
    """),
    edit("abstract class", """
        import abc
        class Shape(abc.ABC):
            @abc.abstractmethod
            def area(self): ...
            def twice(self): return self.area() * «2 → 3»
        class Square(Shape):
            def area(self): return 4
        def fn(x): return Square().twice()
    """),
    edit("child of an abstract class", """
        import abc
        class Shape(abc.ABC):
            @abc.abstractmethod
            def area(self): ...
        class Square(Shape):
            def area(self): return «4 → 5»
        SHAPE = Square()
        def fn(x): return SHAPE.area()
    """),
    edit("protocol with a body", """
        from typing import Protocol
        class Rated(Protocol):
            def rate(self): return «1 → 2»
        class C(Rated): ...
        def fn(x): return C().rate()
    """),
    edit("generic class", """
        from typing import Generic, TypeVar
        T = TypeVar('T')
        class Box(Generic[T]):
            def get(self, x: T) -> T: return [x, «1 → 2»]
        def fn(x): return Box[int]().get(x)
    """),
    edit("error of one's own", """
        class Wrong(Exception):
            def __str__(self): return '«a → b»'
        def fn(x):
            try:
                raise Wrong
            except Wrong as error:
                return str(error)
    """),
    edit("child of a library's class", """
        import collections
        class Counts(collections.Counter):
            def top(self): return «1 → 2»
        def fn(x): return Counts().top()
    """),
    edit("class made by type", """
        def h(self, x): return x «+ → -» 1
        C = type('C', (), {'run': h})
        def fn(x): return C().run(x)
    """),
    edit("attribute of a class made by type", """
        C = type('C', (), {'rate': «1 → 2»})
        def fn(x): return C.rate
    """),
    edit("class made by a function", """
        def make(n):
            class C:
                rate = n
                def run(self, x): return x * self.rate
            return C
        C = make(«1 → 2»)
        def fn(x): return C().run(x)
    """),
    edit("class made in a function reads its closure", """
        def make(n):
            class C:
                def run(self, x): return x * n
            return C
        C = make(«1 → 2»)
        def fn(x): return C().run(x)
    """),
]  # fmt: skip

OBJECTS = [
    edit("instance that is called", """
        class Fn:
            def __call__(self, x): return x + «1 → 2»
        fn = Fn()
    """),
    edit("state of an instance that is called", """
        class Fn:
            def __init__(self, n): self.n = n
            def __call__(self, x): return x + self.n
        fn = Fn(«1 → 2»)
    """),
    edit("class that is called", """
        class fn:
            def __init__(self, x): self.value = x «+ → -» 1
            def __repr__(self): return str(self.value)
    """),
    edit("state deep in an object", """
        class C:
            def __init__(self, value): self.value = value
        M = C([{'a': C(«1 → 2»)}])
        def fn(x): return M.value[0]['a'].value
    """),
    edit("object that holds itself", """
        class C:
            def __init__(self, rate):
                self.rate = rate
                self.me = self
        M = C(«1 → 2»)
        def fn(x): return M.me.rate
    """),
    edit("two objects or one", """
        class C:
            def __init__(self): self.n = 0
        A = C()
        B = «A → C()»
        def fn(x): return A is B
    """),
    edit("object with a function inside", """
        class C:
            def __init__(self, step): self.step = step
        def h(x): return x «+ → -» 1
        M = C(h)
        def fn(x): return M.step(x)
    """),
    edit("attribute set on an object afterwards", """
        class C: ...
        M = C()
        M.rate = «1 → 2»
        def fn(x): return M.rate
    """),
    edit("class of an object", """
        class A:
            def run(self, x): return x + 1
        class B:
            def run(self, x): return x - 1
        M = «A → B»()
        def fn(x): return M.run(x)
    """),
    edit("what gave an object its state", """
        class C:
            def __init__(self, n): self.n = n «+ → -» 1
        M = C(5)
        def fn(x): return M.n
    """),
]  # fmt: skip

OPAQUE = [
    edit("metaclass", """
        class Meta(type):
            def rate(cls): return «1 → 2»
        class C(metaclass=Meta): ...
        def fn(x): return C.rate()
    """),
    edit("metaclass that makes the objects", """
        class Meta(type):
            def __call__(cls, x): return x + «1 → 2»
        class C(metaclass=Meta): ...
        def fn(x): return C(x)
    """),
    edit("method of an own dict", """
        class T(dict):
            def rate(self): return «1 → 2»
        TABLE = T()
        def fn(x): return TABLE.rate()
    """),
    edit("content of an own dict", """
        class T(dict): ...
        TABLE = T(a=«1 → 2»)
        def fn(x): return TABLE['a']
    """),
    edit("value of an own int", """
        class Level(int): ...
        L = Level(«1 → 2»)
        def fn(x): return x + L
    """),
    edit("value of an own str", """
        class Word(str): ...
        W = Word('«a → b»')
        def fn(x): return W
    """),
    edit("content of an own deque", """
        import collections
        class Q(collections.deque): ...
        QUEUE = Q([«1 → 2»])
        def fn(x): return QUEUE[0]
    """),
    edit("object with a lock", """
        import threading
        class C:
            def __init__(self, n):
                self.n = n
                self.lock = threading.Lock()
        M = C(«1 → 2»)
        def fn(x): return M.n
    """),
    edit("what pickling and hashing of an object say", """
        class C:
            def __init__(self, n): self.n = n
            def __eq__(self, other): return True
            def __hash__(self): return 1
            def __reduce__(self): return (C, (0,))
        M = C(«1 → 2»)
        def fn(x): return M.n
    """),
]  # fmt: skip

MUST_CHANGE = [*MEMBERS, *BASES, *OBJECTS]
MUST_CHANGE_OR_BE_REFUSED = OPAQUE
