"""Names that nobody sees, and annotations that nobody reads."""

from __future__ import annotations

from tests.unit.engine.fingerprint.edits.edit import Edit, edit


def renamed(name: str, text: str, *, call: str = "fn(3)") -> Edit:
    """A local, marked by `@`, gets another name."""
    return edit(name, text.replace("@", "«total → count»"), call=call)


LOCALS = [
    renamed("local", "def fn(x):\n    @ = x + 1\n    return @ * @"),
    renamed("local of a helper", "def h(x):\n    @ = x + 1\n    return @\ndef fn(x): return h(x)"),
    renamed(
        "local of a method",
        "class C:\n    def run(self, x):\n        @ = x + 1\n        return @\ndef fn(x): return C().run(x)",
    ),
    renamed(
        "local of a helper in an own module",
        "from other import h\ndef fn(x): return h(x)\n--- other.py\ndef h(x):\n    @ = x + 1\n    return @\n",
    ),
    renamed("local that grows", "def fn(x):\n    @ = 0\n    @ += x\n    return @"),
    renamed("local with an annotation", "def fn(x):\n    @: int = x\n    return @"),
    renamed(
        "local of a loop",
        "def fn(x):\n    seen = []\n    for @ in range(x):\n        seen.append(@)\n    return seen",
    ),
    renamed(
        "locals of a loop",
        "def fn(x):\n    seen = []\n    for index, (@, *rest) in enumerate(['ab']):\n"
        "        seen.append((index, @, rest))\n    return seen",
    ),
    renamed("local of a while", "def fn(x):\n    while @ := x:\n        x -= 1\n    return @"),
    renamed(
        "local of a with",
        "import contextlib\ndef fn(x):\n    with contextlib.nullcontext(x) as @:\n        return @",
    ),
    renamed(
        "local of an except",
        "def fn(x):\n    try:\n        return int(x)\n    except ValueError as @:\n        return str(@)",
        call="fn('a')",
    ),
    renamed("local of a list comprehension", "def fn(x): return [@ for @ in range(x) if @ > 1]"),
    renamed("local of a set comprehension", "def fn(x): return sorted({@ + 1 for @ in range(x)})"),
    renamed("local of a dict comprehension", "def fn(x): return {@: @ + 1 for @ in range(x)}"),
    renamed("local of a generator expression", "def fn(x): return sum(@ * 2 for @ in range(x))"),
    renamed("local of a nested comprehension", "def fn(x): return [[@ * y for @ in range(y)] for y in range(x)]"),
    renamed("local beside a comprehension", "def fn(x):\n    @ = range(x)\n    return [y for y in @]"),
    renamed("local that a comprehension reads", "def fn(x):\n    @ = x + 1\n    return [y * @ for y in range(x)]"),
    renamed("local of a walrus", "def fn(x): return (@ := x + 1) * @"),
    renamed("local of a walrus in a comprehension", "def fn(x): return [@ for y in range(x) if (@ := y + 1) > 1]"),
    renamed(
        "capture of a match",
        "def fn(x):\n    match [x, 1]:\n        case [@, other]:\n            return other, @",
    ),
    renamed("star of a match", "def fn(x):\n    match [x, 1]:\n        case [first, *@]:\n            return first, @"),
    renamed(
        "rest of a match",
        "def fn(x):\n    match {'a': x, 'b': 1}:\n        case {'a': y, **@}:\n            return y, @",
    ),
    renamed("as of a match", "def fn(x):\n    match x:\n        case int() as @:\n            return @"),
    renamed(
        "attribute's capture of a match",
        "def fn(x):\n    match x:\n        case int(real=@):\n            return @",
    ),
    renamed("local of an unpacking", "def fn(x):\n    first, *@ = range(x)\n    return first, @"),
    renamed("local that is deleted", "def fn(x):\n    @ = x\n    y = @\n    del @\n    return y"),
    renamed("module imported under a local name", "def fn(x):\n    import math as @\n    return @.floor(x)"),
    renamed(
        "own helper imported under a local name",
        "def fn(x):\n    from other import h as @\n    return @(x)\n--- other.py\ndef h(x): return x + 1\n",
    ),
    renamed("local given by keyword", "def fn(x):\n    @ = x + 1\n    return dict(y=@)"),
    renamed("local in an f-string", "def fn(x):\n    @ = x + 1\n    return f'{@} {@!r:>{@}}'"),
    renamed("local of a generator", "def fn(x):\n    for @ in range(x):\n        yield @", call="list(fn(3))"),
    renamed(
        "local of an async function",
        "import contextlib\nasync def fn(x):\n    async with contextlib.nullcontext(x) as @:\n        return @",
        call="run(fn(3))",
    ),
    renamed("local whose attribute has its name", "def fn(x):\n    @ = 'a b'\n    return @.split(), @.count('a')"),
    edit("two locals that exchange their names", """
        def fn(x):
            «a → b» = x
            «b → a» = 2
            return «a → b» - «b → a»
    """),
    edit("several locals", """
        def fn(x):
            «a → first» = x
            for «b → second» in range(«a → first»):
                «c → third» = «b → second» + «a → first»
            return «c → third»
    """),
    edit("own name", "def «h → g»(x): return x + 1\nfn = «h → g»"),
    edit("own name of a function with a docstring", """
        def «h → g»(x):
            '''Add one.'''
            return x + 1
        fn = «h → g»
    """),
    edit("name of a maker", "def «make → build»(n): return lambda x: x + n\nfn = «make → build»(1)"),
]  # fmt: skip

ANNOTATIONS = [
    edit("annotation", "def fn(x: «int → str») -> «int → str»: return x"),
    edit("annotation added", "def fn(x« → : int»)« →  -> int»: return x"),
    edit("annotation with a default", "def fn(x, y«=1 → : int = 1»): return x + y"),
    edit("annotation of the other arguments", """
        def fn(x, *args« → : int», y« → : int», **rest« → : int»): return x
    """, call="fn(3, y=1)"),
    edit("annotation in quotes", "def fn(x: «int → 'int'»): return x"),
    edit("annotation of a library's type", """
        from typing import Any, Optional
        def fn(x: «Any → Optional[int]»): return x
    """),
    edit("annotation of a helper", "def h(x: «int → str»): return x\ndef fn(x): return h(x)"),
    edit("annotation of a helper in an own module", """
        from other import h
        def fn(x): return h(x)
        --- other.py
        def h(x: «int → str»): return x
    """),
    edit("annotation of a method", """
        class C:
            def run(self, x: «int → str»): return x
        def fn(x): return C().run(x)
    """),
    edit("annotation of a local", "def fn(x):\n    y« → : int» = x + 1\n    return y"),
    edit("type of a local", "def fn(x):\n    y: «int → float» = x + 1\n    return y"),
    edit("annotation of a local's attribute", """
        class C: ...
        def fn(x):
            c = C()
            c.a« → : int» = x
            return c.a
    """),
    edit("annotation of an async function", "async def fn(x« → : int»)« →  -> int»: return x", call="run(fn(3))"),
    edit("annotation of a global", "RATE« → : int» = 3\ndef fn(x): return x * RATE"),
    edit("annotation that names an own class", "class A: ...\nclass B: ...\ndef fn(x: «A → B»): return x"),
    edit("class that only an annotation names", "class A:\n    rate = «1 → 2»\ndef fn(x: A) -> A: return x"),
    edit("annotations as texts", "« → from __future__ import annotations»\ndef fn(x: int) -> int: return x"),
    edit("annotations as texts, without any", """
        « → from __future__ import annotations»
        def h(x): return x + 1
        def fn(x): return h(x)
    """),
    edit("annotations as texts in an own module", """
        from other import h
        def fn(x): return h(x)
        --- other.py
        « → from __future__ import annotations»
        def h(x): return x + 1
    """),
    edit("annotations as texts beside a class", """
        « → from __future__ import annotations»
        class C:
            def run(self, x): return x + 1
        def fn(x): return C().run(x)
    """),
    edit("annotations as texts beside a lambda", """
        « → from __future__ import annotations»
        fn = lambda x: [y + 1 for y in range(x)]
    """),
    edit("imports for type checkers", """
        from __future__ import annotations
        from typing import TYPE_CHECKING
        if TYPE_CHECKING:
            from «decimal import Decimal → fractions import Fraction»
        def fn(x: «Decimal → Fraction») -> None: return x
    """),
    edit("import for type checkers added", """
        from typing import TYPE_CHECKING
        if TYPE_CHECKING:
            import decimal
            « → import fractions»
        def fn(x): return x
    """),
    edit("own module for type checkers", """
        from typing import TYPE_CHECKING
        if TYPE_CHECKING:
            from other import A
        def fn(x: 'A'): return x
        --- other.py
        class A:
            rate = «1 → 2»
    """),
    edit("overloads", """
        from typing import overload
        @overload
        def fn(x: «int → bool») -> int: ...
        @overload
        def fn(x: str) -> str: ...
        def fn(x): return x
    """),
    edit("protocol that only annotations name", """
        from typing import Protocol
        class Rated(Protocol):
            «rate → level»: int
        def fn(x: Rated): return x
    """),
]  # fmt: skip

MUST_NOT_CHANGE = [*LOCALS, *ANNOTATIONS]
