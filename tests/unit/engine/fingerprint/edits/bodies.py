"""What stands in a function: expressions and statements."""

from __future__ import annotations

from tests.unit.engine.fingerprint.edits.edit import edit

EXPRESSIONS = [
    edit("body", "def fn(x): return x «+ → *» x"),
    edit("constant", "def fn(x): return x + «1 → 2»"),
    edit("type of a constant", "def fn(x): return x + «1 → 1.0»"),
    edit("True for 1", "def fn(x): return [x, «1 → True»]"),
    edit("sign of zero", "def fn(x): return [x, «0.0 → -0.0»]"),
    edit("text for bytes", "def fn(x): return [x, «'a' → b'a'»]"),
    edit("None for Ellipsis", "def fn(x): return [x, «None → ...»]"),
    edit("constant tuple for a list", "def fn(x): return «(1, 2) → [1, 2]»"),
    edit("type inside a constant tuple", "def fn(x): return (1, (2, «0 → False»))"),
    edit("big number", f"def fn(x): return {10**40}«0 → 1»"),
    edit("small difference of a float", "def fn(x): return «0.1 → 0.10000000000000002»"),
    edit("imaginary number", "def fn(x): return x * «1j → 2j»"),
    edit("case of a text", "def fn(x): return '«prompt → Prompt»'"),
    edit("space in a text", "def fn(x): return 'a«  →   »b'"),
    edit("accent in a text", "def fn(x): return '«\u00e9 → e\u0301»'"),
    edit("raw text", "def fn(x): return «'\\n' → r'\\n'»"),
    edit("constant in a set", "def fn(x): return x in {'a', '«b → c»'}", call="fn('b')"),
    edit("name of an attribute", "def fn(x): return x.«upper → lower»()", call="fn('Ab')"),
    edit("name of a keyword argument", "def fn(x): return dict(«y → z»=x)"),
    edit("order of arguments", "def fn(x): return divmod(«x, 2 → 2, x»)"),
    edit("comparison", "def fn(x): return x «< → <=» 3"),
    edit("chained comparison", "def fn(x): return 1 < x «<= → <» 3"),
    edit("chained comparison taken apart", "def fn(x): return «1 < x == True → (1 < x) == True»"),
    edit("parentheses that matter", "def fn(x): return «x + 1 * 2 → (x + 1) * 2»"),
    edit("and for or", "def fn(x): return x «and → or» 5"),
    edit("is for is not", "def fn(x): return x «is → is not» None"),
    edit("order of a dict", "def fn(x): return list({«'a': 1, 'b': 2 → 'b': 2, 'a': 1»})"),
    edit("order of operands", "def fn(x): return «x, x + 1 → x + 1, x»"),
    edit("condition turned round", "def fn(x): return «1 if x else 2 → 2 if x else 1»"),
    edit("slice", "def fn(x): return 'abcdef'[1:x« → :2»]", call="fn(5)"),
    edit("star in a call", "def fn(x): return max(«*[x], 9 → [x], [9]»)"),
    edit("double star in a call", "def fn(x): return dict(**{'a': x}, «b → c»=1)"),
    edit("unpacking in a list", "def fn(x): return [«*range(x) → range(x)»]"),
    edit("comprehension", "def fn(x): return [y for y in range(x) if y «> → >=» 1]"),
    edit("kind of a comprehension", "def fn(x): return «[y for y in [x, x]] → {y for y in [x, x]}»"),
    edit("order of a nested comprehension", "def fn(x): return [(«a, b → b, a») for a in range(x) for b in 'ab']"),
    edit("loops of a nested comprehension", """
        def fn(x):
            return [(a, b) for «a in (1, 2) for b in (3, 4) → b in (3, 4) for a in (1, 2)»]
    """),
    edit("dict comprehension", "def fn(x): return {k: k «+ → *» 2 for k in range(x)}"),
    edit("walrus in a comprehension", "def fn(x): return [z for y in range(x) if (z := y «+ → *» 2)]"),
    edit("generator expression", "def fn(x): return sum(y «* → +» 2 for y in range(x))"),
    edit("f-string text", "def fn(x): return f'«a → b»{x}'"),
    edit("f-string format", "def fn(x): return f'{x:«03 → 04»d}'"),
    edit("f-string nested format", "def fn(x): return f'{x:{«1 → 2»}d}'", call="fn(7)"),
    edit("f-string conversion", "def fn(x): return f'{x«!s → !r»}'", call="fn('a')"),
    edit("f-string that shows its expression", "def fn(x): return f'{x« → =»}'"),
    edit("f-string's spaces that show", "def fn(x): return f'{x« = → =»}'"),
    edit("f-string's expression", "def fn(x): return f'{x «+ → -» 1}'"),
    edit("text for an f-string", "def fn(x): return «'{x}' → f'{x}'»"),
    edit("lambda inside", "def fn(x): return (lambda y: y «+ → -» 1)(x)"),
    edit("await for a call", """
        async def h(x): return x
        async def fn(x): return «await h(x) → [await h(x)]»
    """, call="run(fn(3))"),
]  # fmt: skip

STATEMENTS = [
    edit("except clause", """
        def fn(x):
            try:
                return int(x)
            except «ValueError → TypeError»:
                return 0
    """, call="fn('a')"),
    edit("order of except clauses", """
        def fn(x):
            try:
                return [][x]
            except «IndexError → LookupError»:
                return «1 → 2»
            except «LookupError → IndexError»:
                return «2 → 1»
    """),
    edit("else of a try", """
        def fn(x):
            try:
                y = int(x)
            except ValueError:
                return 0
            else:
                return y «+ → -» 1
    """),
    edit("finally", """
        def fn(x):
            seen = []
            try:
                seen.append(x)
            finally:
                seen.append(«1 → 2»)
            return seen
    """),
    edit("cause of an error", """
        def fn(x):
            try:
                raise ValueError(x)« from None →  from KeyError()»
            except ValueError as error:
                return repr(error.__cause__)
    """),
    edit("with", """
        import contextlib
        def fn(x):
            with contextlib.suppress(«ValueError → KeyError»):
                return int(x)
    """, call="fn('a')"),
    edit("else of a while", """
        def fn(x):
            while x > 0:
                x -= 1
            else:
                x = «7 → 8»
            return x
    """),
    edit("else of a for", """
        def fn(x):
            for y in range(x):
                if y == 9:
                    break
            else:
                return «1 → 2»
    """),
    edit("break for continue", """
        def fn(x):
            seen = []
            for y in range(x):
                if y == 1:
                    «continue → break»
                seen.append(y)
            return seen
    """),
    edit("statement in or out of a loop", """
        def fn(x):
            n = 0
            for y in range(x):
                n += y
            «     → »n += 1
            return n
    """),
    edit("order of statements", """
        def fn(x):
            «x += 1 → x *= 2»
            «x *= 2 → x += 1»
            return x
    """),
    edit("statement taken away", """
        def fn(x):
            y = [x]
            «y.append(1) → pass»
            return y
    """),
    edit("condition", """
        def fn(x):
            if «x → not x»:
                return 1
            return 2
    """),
    edit("elif for if", """
        def fn(x):
            seen = []
            if x > 1:
                seen.append(1)
            «elif → if» x > 2:
                seen.append(2)
            return seen
    """),
    edit("augmented assignment", """
        def fn(x):
            x «+= → -=» 1
            return x
    """),
    edit("unpacking", """
        def fn(x):
            «a, *b → *a, b» = range(x)
            return a, b
    """),
    edit("which of two locals", """
        def fn(x):
            a, b = 1, 2
            return «a → b»
    """),
    edit("locals exchanged in one place", """
        def fn(x):
            a = x
            b = 2
            return «a - b → b - a»
    """),
    edit("local that hides a global", """
        K = 5
        def fn(x):
            «y → K» = 1
            return K + x
    """),
    edit("local that becomes global", """
        K = 5
        def set_it(x):
            « → global K; »K = x
        def fn(x):
            set_it(x)
            return K
    """),
    edit("nested function", """
        def fn(x):
            def g(y):
                return y + «1 → 2»
            return g(x)
    """),
    edit("nested class", """
        def fn(x):
            class C:
                rate = «1 → 2»
            return C.rate * x
    """),
    edit("nonlocal", """
        def fn(x):
            n = 0
            def add():
                «nonlocal n; n → n» = x
            add()
            return n
    """),
    edit("default of a nested function", """
        def fn(x):
            def g(y=«1 → 2»):
                return y
            return g()
    """),
    edit("assert", """
        def fn(x):
            assert x > «2 → 3», 'small'
            return x
    """),
    edit("message of an error", """
        def fn(x):
            raise ValueError('«a → b»')
    """),
    edit("del", """
        def fn(x):
            y = [1, 2, 3]
            del y[«0 → 1»]
            return y
    """),
    edit("generator", """
        def fn(x):
            yield x
            yield x + «1 → 2»
    """, call="list(fn(3))"),
    edit("yield from", """
        def fn(x):
            yield «from  → »range(x)
    """, call="list(fn(3))"),
    edit("return for yield", "def fn(x): «return → yield» x"),
    edit("async function", """
        async def fn(x):
            return x + «1 → 2»
    """, call="run(fn(3))"),
    edit("async helper", """
        async def h(x):
            return x + «1 → 2»
        async def fn(x):
            return await h(x)
    """, call="run(fn(3))"),
    edit("async generator", """
        async def h(x):
            for y in range(x):
                yield y «+ → *» 2
        async def fn(x):
            return [y async for y in h(x)]
    """, call="run(fn(3))"),
    edit("async with", """
        import contextlib
        @contextlib.asynccontextmanager
        async def scale():
            yield «1 → 2»
        async def fn(x):
            async with scale() as s:
                return x * s
    """, call="run(fn(3))"),
]  # fmt: skip

MATCHES = [
    edit("match literal", """
        def fn(x):
            match x:
                case «3 → 4»:
                    return 'found'
                case _:
                    return 'other'
    """),
    edit("match guard", """
        def fn(x):
            match x:
                case int() if x > «2 → 3»:
                    return 'large'
            return 'small'
    """),
    edit("match class", """
        def fn(x):
            match x:
                case «int → str»():
                    return 'found'
            return 'other'
    """),
    edit("match class's attribute", """
        def fn(x):
            match x:
                case int(«real → imag»=3):
                    return 'found'
            return 'other'
    """),
    edit("match captures", """
        def fn(x):
            match [x, 1]:
                case [«a, b → b, a»]:
                    return a, b
    """),
    edit("match star", """
        def fn(x):
            match [x, 1, 2]:
                case [«a, *b → *a, b»]:
                    return a, b
    """),
    edit("match mapping", """
        def fn(x):
            match {'a': x, 'b': 1}:
                case {'«a → b»': y, **rest}:
                    return y, rest
    """),
    edit("match alternatives", """
        def fn(x):
            match x:
                case 1 | «2 → 3»:
                    return 'found'
            return 'other'
    """),
    edit("match as", """
        def fn(x):
            match [x]:
                case [y] as z:
                    return «y → z»
    """),
    edit("match value of a class", """
        class Level:
            LOW = «3 → 4»
        def fn(x):
            match x:
                case Level.LOW:
                    return 'low'
            return 'other'
    """),
    edit("match singleton", """
        def fn(x):
            match x > 1:
                case «True → False»:
                    return 'yes'
            return 'no'
    """),
]  # fmt: skip

SHOWN_NAMES = [
    edit("name of a parameter", "def fn(«x → y»): return 1", call="fn(x=3)"),
    edit("name of a parameter that is used", """
        def fn(«x → y»):
            return «x → y» + 1
    """, call="fn(x=3)"),
    edit("name of a keyword-only parameter", "def fn(x, *, «a → b»=1): return x", call="fn(3, a=1)"),
    edit("name of the parameter for the other keywords", """
        def fn(x, **«a → b»):
            return x, locals()
    """, call="fn(3)"),
    edit("name of a helper's parameter", """
        def h(*, «a → b»=1, **rest):
            return rest
        def fn(x):
            return h(a=x)
    """),
    edit("local shown by locals", """
        def fn(x):
            «y → z» = 1
            return locals()
    """),
    edit("local shown by vars", """
        def fn(x):
            «y → z» = 1
            return vars()
    """),
    edit("local shown by dir", """
        def fn(x):
            «y → z» = 1
            return dir()
    """),
    edit("local seen by eval", """
        y = 5
        def fn(x):
            «y → z» = 1
            return eval('y')
    """),
    edit("local shown by an f-string", """
        def fn(x):
            «y → z» = 1
            return f'{«y → z»=}'
    """),
    edit("local given as a keyword", """
        def fn(x):
            y = 1
            return dict(«y → z»=y)
    """),
    edit("name of a nested function", """
        def fn(x):
            def «g → h»(): ...
            return «g → h».__name__
    """),
    edit("name of a nested class", """
        def fn(x):
            class «A → B»: ...
            return «A → B».__name__
    """),
]  # fmt: skip

MUST_CHANGE = [*EXPRESSIONS, *STATEMENTS, *MATCHES, *SHOWN_NAMES]
