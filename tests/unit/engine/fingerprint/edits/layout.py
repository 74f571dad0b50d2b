"""How code is written down: comments, docstrings that nobody reads, spaces, quotes, spelling. Nobody feels it."""

from __future__ import annotations

from tests.unit.engine.fingerprint.edits.edit import Edit, edit, rewrite

PLAIN = "def fn(x, y=1):\n    z = [x, 'a', y]\n    return z\n"


def spelled(name: str, before: str, after: str) -> Edit:
    """An expression spelled in two ways."""
    return edit(name, f"def fn(x): return «{before} → {after}»")


COMMENTS = [
    rewrite(
        "comment",
        PLAIN,
        "# why\ndef fn(x, y=1):  # because\n    # of this\n    z = [x, 'a', y]  # so\n    return z\n# end\n",
    ),
    rewrite("comment at the top", PLAIN, f"#!/usr/bin/env python\n# -*- coding: utf-8 -*-\n# why\n{PLAIN}"),
    edit("comment in a helper", "def h(x):\n    return x« →   # why»\ndef fn(x): return h(x)"),
    edit("comment in an own module", """
        from other import h
        def fn(x): return h(x)
        --- other.py
        « → # why»
        def h(x):
            return x
    """),
    edit("comment in a class", """
        class C:
            « → # why»
            a = 1
            def run(self, x): return x
            « → # end»
        def fn(x): return C().run(x)
    """),
    edit("comment in a decorated function", """
        import functools
        @functools.lru_cache(maxsize=9)« →   # why»
        def fn(x):
            return x« →   # why»
    """),
    edit("comment in an own decorator", """
        def twice(f):
            « → # why»
            return lambda x: f(x) * 2« →   # why»
        @twice
        def fn(x): return x
    """),
    edit("comment in a table", "T = [\n    1,« →   # why»\n    2,\n]\ndef fn(x): return T"),
    edit("comment in a lambda", "fn = (lambda x:« →   # why»\n    x + 1)"),
    edit("comment after the last line", "fn = lambda x: x + 1« →   # why»"),
    edit("note for a type checker", "def fn(x): return x + 1« →   # type: ignore[operator]»"),
    edit("note for a linter", "def fn(x):« →   # noqa: ANN001»\n    return x + 1"),
    edit("type in a comment", "def fn(x):\n    y = [x]« →   # type: list[int]»\n    return y"),
    edit("comment in a module that is imported in the function", """
        def fn(x):
            import other
            return other.h(x)
        --- other.py
        « → # why»
        def h(x): return x
    """),
]  # fmt: skip

DOCSTRINGS = [
    edit("docstring", "def fn(x):\n    '''«Add → Really add» one.'''\n    return x + 1"),
    edit("docstring added", "def fn(x):\n    « → '''Add one.'''»\n    return x + 1"),
    edit("docstring of several lines added", """
        def fn(x):
            « → '''Add one.

            And more.
            '''
        »
            return x + 1
    """),
    edit("docstring of a helper", """
        def h(x):
            '''«Add → Really add» one.'''
            return x + 1
        def fn(x): return h(x)
    """),
    edit("docstring of a helper added", "def h(x):\n    « → '''Add one.'''»\n    return x + 1\ndef fn(x): return h(x)"),
    edit("docstring of a helper in an own module", """
        from other import h
        def fn(x): return h(x)
        --- other.py
        def h(x):
            '''«Add → Really add» one.'''
            return x + 1
    """),
    edit("docstring of a method", """
        class C:
            def run(self, x):
                '''«Add → Really add» one.'''
                return x + 1
        def fn(x): return C().run(x)
    """),
    edit("docstring of a method added", """
        class C:
            def run(self, x):
                « → '''Add one.'''»
                return x + 1
        def fn(x): return C().run(x)
    """),
    edit("docstring of a generator", "def fn(x):\n    '''«Add → Really add» one.'''\n    yield x"),
    edit("docstring of an async function", """
        async def fn(x):
            '''«Add → Really add» one.'''
            return x + 1
    """, call="run(fn(3))"),
    edit("docstring of a closure", """
        def make(n):
            def fn(x):
                '''«Add → Really add» one.'''
                return x + n
            return fn
        fn = make(1)
    """),
    edit("docstring of a maker", """
        def make(n):
            '''«Add → Really add» one.'''
            return lambda x: x + n
        fn = make(1)
    """),
    edit("docstring of the module", "'''«Adds → Really adds» things.'''\ndef fn(x): return x + 1"),
    edit("docstring of an own module", """
        from other import h
        def fn(x): return h(x)
        --- other.py
        '''«Adds → Really adds» things.'''
        def h(x): return x + 1
    """),
    edit("docstring of an unrelated class", """
        class C:
            '''«Adds → Really adds» things.'''
        def fn(x): return x + 1
    """),
]  # fmt: skip

SPACES = [
    rewrite("blank lines", PLAIN, "\n\ndef fn(x, y=1):\n\n    z = [x, 'a', y]\n\n\n    return z\n\n\n"),
    rewrite(
        "formatting",
        PLAIN,
        'def fn(\n    x,\n    y = 1,\n):\n    z=[\n        x, "a",\n        y,\n    ]\n    return z\n',
    ),
    rewrite("tabs", PLAIN, PLAIN.replace("    ", "\t")),
    rewrite("width of the indentation", PLAIN, PLAIN.replace("    ", "  ")),
    rewrite("line ends of Windows", PLAIN, PLAIN.replace("\n", "\r\n")),
    rewrite(
        "line ends of Windows in a text",
        "def fn(x):\n    return '''a\nb'''\n",
        "def fn(x):\r\n    return '''a\r\nb'''\r\n",
    ),
    rewrite("mark of the byte order", PLAIN, f"\ufeff{PLAIN}"),
    rewrite("no line end at the end", PLAIN, PLAIN.rstrip("\n")),
    rewrite("spaces at the end of a line", PLAIN, PLAIN.replace("y]", "y]   ")),
    rewrite("form feed", PLAIN, f"\f\n{PLAIN}"),
    rewrite("semicolons", PLAIN, "def fn(x, y=1):\n    z = [x, 'a', y]; return z;\n"),
    rewrite("function on one line", "def fn(x):\n    return x + 1\n", "def fn(x): return x + 1\n"),
    rewrite("backslash", "def fn(x):\n    return x + 1\n", "def fn(x):\n    return x \\\n        + 1\n"),
    rewrite(
        "if on one line",
        "def fn(x):\n    if x:\n        return 1\n    return 2\n",
        "def fn(x):\n    if x: return 1\n    return 2\n",
    ),
    rewrite(
        "elif for an if in an else",
        "def fn(x):\n    if x == 1:\n        return 1\n    elif x == 2:\n        return 2\n    return 3\n",
        "def fn(x):\n    if x == 1:\n        return 1\n    else:\n        if x == 2:\n"
        "            return 2\n    return 3\n",
    ),
    rewrite(
        "function in a block",
        "def fn(x):\n    return x + 1\n",
        "if True:\n    def fn(x):\n        return x + 1\n",
    ),
    rewrite("lines of a lambda", "fn = lambda x: x + 1\n", "fn = (\n    lambda x:\n        x\n        + 1\n)\n"),
    rewrite("another lambda on the line", "fn = lambda x: x + 1\n", "fn, g = lambda x: x + 1, lambda x: x * 9\n"),
    rewrite(
        "another lambda before it on the line",
        "fn = lambda x: x + 1\n",
        "g, fn = lambda x: x * 9, lambda x: x + 1\n",
    ),
    rewrite("two equal lambdas on the line", "fn = lambda x: x + 1\n", "g, fn = lambda x: x + 1, lambda x: x + 1\n"),
    rewrite(
        "form of a decorator",
        "import functools\n@functools.lru_cache(maxsize=9, typed=True)\ndef fn(x):\n    return x\n",
        "import functools\n@functools.lru_cache(\n    maxsize=9,\n    typed = (True),\n)\n\n"
        "def fn( x ):\n    return x\n",
    ),
    rewrite(
        "form of a class",
        "class C:\n    a = 'b'\n    def run(self, x): return x + 1\ndef fn(x): return C().run(x)\n",
        'class C( ):\n\n    a = "b"\n\n    def run(\n        self, x,\n    ):\n        return (x + 1)\n'
        '\n\ndef fn(x):\n    return C().run(x)\n',
    ),
    rewrite(
        "form of a dataclass",
        "from dataclasses import dataclass\n@dataclass\nclass P:\n    a: int = 1\ndef fn(x): return P()\n",
        "from dataclasses import dataclass\n\n\n@dataclass  # why\nclass P:\n\n    a : int=(1)  # this\n"
        "\ndef fn(x): return P()\n",
    ),
    rewrite(
        "form of a match",
        "def fn(x):\n    match x:\n        case (1 | 2):\n            return 1\n        case [a, b]:\n"
        "            return b\n",
        "def fn(x):\n    match (x):\n        case 1 | 2: return 1\n        case (a, b,): return b\n",
    ),
    rewrite(
        "form of a with",
        "import contextlib\ndef fn(x):\n    with contextlib.nullcontext(x) as f:\n        return f\n",
        "import contextlib\ndef fn(x):\n    with contextlib.nullcontext(x) as f: return f\n",
    ),
    rewrite(
        "form of imports",
        "def fn(x):\n    from math import floor, ceil\n    return floor(x), ceil(x)\n",
        "def fn(x):\n    from math import (\n        floor,\n        ceil,\n    )\n    return floor(x), ceil(x)\n",
    ),
    rewrite(
        "form of a global",
        "T = {'a': [1, 2], 'b': (3,)}\ndef fn(x): return T\n",
        'T = dict(\n    a=[1, 2],\n    b=tuple([3]),\n)\ndef fn(x): return T\n',
    ),
]  # fmt: skip

SPELLING = [
    spelled("quotes", "'a'", '"a"'),
    spelled("triple quotes", "'a'", '"""a"""'),
    spelled("prefix of a text", "'a'", "u'a'"),
    spelled("raw text without backslash", "'a'", "r'a'"),
    spelled("text with an escape", "'A'", r"'\x41'"),
    spelled("line end in a text", r"'a\nb'", "'''a\nb'''"),
    spelled("case of a prefix", "b'a'", "B'a'"),
    spelled("texts beside each other", "'ab'", "'a' 'b'"),
    spelled("texts on several lines", "'ab'", "('a'\n    'b')"),
    spelled("f-strings beside each other", "f'a{x}b'", "f'a{x}' 'b'"),
    spelled("quotes of an f-string", "f'a{x!r:>5}b'", 'f"a{x!r:>5}b"'),
    spelled("spaces in an f-string", "f'{x + 1}'", "f'{ x+1 }'"),
    spelled("underscore in a number", "1000", "1_000"),
    spelled("number to the base of sixteen", "16", "0x10"),
    spelled("number to the base of two", "3", "0b11"),
    spelled("number to the base of eight", "15", "0o17"),
    spelled("power in a float", "1000.0", "1e3"),
    spelled("zeros of a float", "0.5", ".50"),
    spelled("case of the power", "1e10", "1E10"),
    spelled("case of a letter in a number", "0xff", "0xFF"),
    spelled("parentheses", "x + 1", "(x + 1)"),
    spelled("parentheses that say the order", "x + 2 * 3", "x + (2 * 3)"),
    spelled("parentheses of a tuple", "x, 1", "(x, 1)"),
    spelled("comma at the end of a list", "[x, 1]", "[x, 1,]"),
    spelled("comma at the end of a tuple", "(x, 1)", "(x, 1,)"),
    spelled("comma at the end of a call", "max(x, 1)", "max(x, 1,)"),
    spelled("parentheses of a lambda", "(lambda y: y)(x)", "(lambda y: (y))(x)"),
    spelled("parentheses of a condition", "1 if not x else 2", "1 if (not (x)) else 2"),
    spelled("normal form of a name", "dict(\ufb01=x)", "dict(fi=x)"),
]  # fmt: skip

MUST_NOT_CHANGE = [*COMMENTS, *DOCSTRINGS, *SPACES, *SPELLING]
