"""Functions of real modules, what their bytecode does, and edits of them made by machine."""

from __future__ import annotations

import ast
import contextlib
import copy
import dis
import functools
import random
import symtable
import types
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
INNER = (*FUNCTIONS, ast.Lambda, ast.ClassDef)
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_SEES_NAMES = frozenset({"locals", "eval", "exec", "vars", "dir", "_getframe", "currentframe"})

Def = ast.FunctionDef | ast.AsyncFunctionDef
Edit = Callable[[Any], Any]


# ---------------------------------------------------------------- what code does


def compiled(text: str) -> types.CodeType:
    """The code of the only function of a text."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module = compile(text, "<text>", "exec", dont_inherit=True)
    waiting: list[Any] = list(module.co_consts)
    while waiting:  # breadth first: the generic functions of Python 3.12 lie in a function of their own
        part = waiting.pop(0)
        if isinstance(part, types.CodeType) and not part.co_name.startswith("<"):
            return part
        waiting += part.co_consts if isinstance(part, types.CodeType) else ()
    raise AssertionError("no function")


class _Names:
    """New names for the variables of a code object, in the order in which it uses them; the same for those within."""

    def __init__(self, code: types.CodeType, outer: _Names | None) -> None:
        self.count = code.co_argcount + code.co_kwonlyargcount + bool(code.co_flags & 4) + bool(code.co_flags & 8)
        self.given = code.co_varnames[: self.count]
        self._outer = outer
        self._free = frozenset(code.co_freevars) if outer is not None else frozenset()
        self.cells = frozenset((*code.co_freevars, *code.co_cellvars))
        self._known: dict[str, str] = {name: f"given {name}" for name in self.given}

    def __getitem__(self, name: str) -> str:
        if self._outer is not None and name in self._free:
            return f"outer {self._outer[name]}"
        return self._known.setdefault(name, f"local {len(self._known)}")


_OF_CLOSURES = frozenset({"NOP", "CACHE", "EXTENDED_ARG", "MAKE_CELL", "LOAD_CLOSURE", "COPY_FREE_VARS"})
"""What says nothing by itself: it goes through variables in the order of their names, or does nothing."""


def behaviour(code: types.CodeType, outer: _Names | None = None) -> tuple[Any, ...]:
    """What a code object does: no positions, no names of variables, no constants that are not loaded.

    Two functions of one behaviour may still be spelt differently; functions of two behaviours do different things, or
    do them in another way.
    """
    names = _Names(code, outer)
    kept = [one for one in dis.get_instructions(code) if one.opname not in _OF_CLOSURES]
    number: dict[int, int] = {}
    for index, one in enumerate(kept):
        for offset in range(kept[index - 1].offset + 1 if index else 0, one.offset + 1):
            number[offset] = index
    does = [(one.opname, _argument(one, names, number)) for one in kept]
    table = getattr(dis, "_parse_exception_table", lambda _: ())(code)
    caught = [(number.get(e.start), number.get(e.end, -1), number.get(e.target), e.depth, e.lasti) for e in table]
    head = (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags & ~0x40)
    return (*head, names.given, tuple(does), tuple(caught))


def _argument(one: dis.Instruction, names: _Names, number: dict[int, int]) -> Any:
    value = one.argval
    if isinstance(value, types.CodeType):
        return value.co_name, behaviour(value, names)
    if one.opcode in dis.hasjrel or one.opcode in dis.hasjabs:
        return number.get(value, -1)
    if one.opcode in dis.haslocal or one.opcode in dis.hasfree or "FAST" in one.opname:
        found = value if isinstance(value, tuple) else (value,)
        is_closed = "FAST" in one.opname  # Python 3.13 makes closures so; what is read from a cell has another name
        return tuple("cell" if is_closed and name in names.cells else names[str(name)] for name in found)
    if one.opcode in dis.hasconst:
        return _typed(value)
    return one.arg if one.opname == "FORMAT_VALUE" else (one.argrepr if one.argval is None else _typed(value))


def _typed(value: Any) -> Any:
    """A constant that is equal only to one of its own type: `1` is not `True`, and `0.0` not `-0.0`."""
    if isinstance(value, tuple):
        return "tuple", tuple(map(_typed, value))
    if isinstance(value, frozenset):
        return "frozenset", tuple(sorted(map(repr, map(_typed, value))))
    return type(value).__name__, repr(value)


# ---------------------------------------------------------------- functions to edit


def functions_of(path: Path, lines: int = 60) -> list[Def]:
    """The functions and methods of a file that can be compiled where they stand alone, and are not too long."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, FUNCTIONS) and (node.end_lineno or 0) - node.lineno < lines:
            alone = copy.deepcopy(node)
            alone.decorator_list = []
            alone.args.defaults = [ast.Constant(None)] * len(alone.args.defaults)  # their values count, not their text
            alone.args.kw_defaults = [one and ast.Constant(None) for one in alone.args.kw_defaults]
            if _stands_alone(alone):
                found.append(alone)
    return found


def _stands_alone(node: Def) -> bool:
    try:
        compiled(text_of(node))
    except (
        SyntaxError,
        ValueError,
        AssertionError,
        AttributeError,
        TypeError,
        IndexError,
        KeyError,
    ):  # no such function
        return False
    return True


def text_of(node: ast.AST) -> str:
    return ast.unparse(ast.fix_missing_locations(node)) + "\n"


# ---------------------------------------------------------------- edits that somebody can feel


def edits(node: ast.AST) -> Iterator[tuple[str, int, Edit]]:
    """Edits of the parts of a function: what they are, which part (as `ast.walk` counts), and what makes them."""
    for place, part in enumerate(ast.walk(node)):
        for name, edit in _edits_of(part):
            yield name, place, edit


def mutants(node: Def, chance: random.Random, count: int) -> Iterator[tuple[str, Def]]:
    """Some edited copies of a function that can still be compiled, each with the name of the edit."""
    every = list(edits(node))
    for name, place, edit in chance.sample(every, min(count, len(every))):
        edited = copy.deepcopy(node)
        part = next(part for at, part in enumerate(ast.walk(edited)) if at == place)
        with contextlib.suppress(AttributeError, TypeError):  # a part that is not there, such as what `yield` gives
            edit(part)
            edited.name = node.name
            if _stands_alone(edited):
                yield name, edited


def _other(value: Any) -> list[Any]:
    """Constants that are not this one, some of them equal to it."""
    found: list[Any] = [None, ..., value]
    if isinstance(value, (bool, int, float)):
        found += [float(value), int(value), bool(value), complex(value), value + 1, -float(value), str(value)]
    if isinstance(value, str):
        found += [value + " ", value.encode("utf-8", "surrogatepass"), value[::-1], value.upper()]
    if isinstance(value, bytes):
        found += [value + b" ", value.decode("latin-1")]
    return [one for one in found if _typed(one) != _typed(value)]


def _edits_of(part: ast.AST) -> Iterator[tuple[str, Edit]]:
    for name, value in ast.iter_fields(part):
        if isinstance(value, list):
            yield from _edits_of_list(part, name, value)
    yield from _edits_of_fields(part)
    match part:
        case ast.Constant():
            if not isinstance(part.value, (str, bytes)) or len(part.value) < 200:
                for other in _other(part.value):
                    yield "another constant", _setting("value", other)
        case ast.BinOp() | ast.AugAssign():
            for operator in (ast.Add, ast.Sub, ast.BitOr, ast.MatMult):
                yield "another operator", _setting("op", operator())
        case ast.BoolOp():
            yield "the other junction", _setting("op", ast.And() if isinstance(part.op, ast.Or) else ast.Or())
        case ast.UnaryOp():
            yield "another sign", _setting("op", ast.Not() if isinstance(part.op, ast.USub) else ast.USub())
        case ast.Compare():
            for comparison in (ast.Lt, ast.LtE, ast.Is, ast.NotIn, ast.Eq):
                yield "another comparison", functools.partial(_compare_by, comparison)
        case _:
            yield from _edits_of_kind(part)


def _edits_of_kind(part: ast.AST) -> Iterator[tuple[str, Edit]]:
    match part:
        case ast.If() | ast.While() | ast.IfExp() | ast.Assert():
            yield "condition negated", lambda node: setattr(node, "test", ast.UnaryOp(ast.Not(), node.test))
        case ast.FormattedValue():
            for conversion in (-1, ord("r"), ord("s"), ord("a")):
                yield "conversion of a text", _setting("conversion", conversion)
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            other = ast.FunctionDef if isinstance(part, ast.AsyncFunctionDef) else ast.AsyncFunctionDef
            yield "async or not", lambda node: setattr(node, "__class__", other)
        case ast.comprehension():
            yield "async or not", lambda node: setattr(node, "is_async", 1 - node.is_async)


def _edits_of_fields(part: ast.AST) -> Iterator[tuple[str, Edit]]:
    """Edits of names, and of parts that can be left out or put in another's place."""
    for name in ("id", "attr", "arg", "name", "rest", "module", "asname"):
        if isinstance(getattr(part, name, None), str):
            yield f"{type(part).__name__} of another name", _setting(name, "zz")
    for one, other in (("left", "right"), ("body", "orelse"), ("lower", "upper"), ("target", "iter"), ("elt", "key")):
        if isinstance(getattr(part, one, None), ast.expr) and isinstance(getattr(part, other, None), ast.expr):
            yield f"{one} and {other} swapped", _swapping(one, other)
    for name in (
        "value",
        "lower",
        "upper",
        "step",
        "type",
        "cause",
        "format_spec",
        "returns",
        "vararg",
        "kwarg",
        "guard",
    ):
        if isinstance(getattr(part, name, None), ast.AST):
            yield f"{name} left out", _setting(name, None)
    if isinstance(part, (ast.Await, ast.Yield, ast.YieldFrom, ast.Starred, ast.Attribute, ast.Subscript)):
        yield "only what is in it", lambda node: _become(node, node.value)
    if isinstance(part, (ast.Name, ast.Call)) and isinstance(getattr(part, "ctx", ast.Load()), ast.Load):
        yield "something else", lambda node: _become(node, ast.Name("zz", ast.Load()))
        yield "a call of it", lambda node: _become(node, ast.Call(copy.copy(node), [], []))


def _edits_of_list(part: ast.AST, name: str, value: list[Any]) -> Iterator[tuple[str, Edit]]:
    for at in range(min(len(value), 4)):
        yield f"{name}: one left out", functools.partial(_without, name, at)
        yield (
            f"{name}: one twice",
            functools.partial(_twice, name, at),
        )
        if at:
            yield f"{name}: two swapped", functools.partial(_swap_in, name, at)
    if len(value) > 1:
        yield f"{name}: the other way round", lambda node: getattr(node, name).reverse()


def _setting(field: str, value: Any) -> Edit:
    return lambda node: setattr(node, field, value)


def _swapping(one: str, other: str) -> Edit:
    def swap(node: ast.AST) -> None:
        first, second = getattr(node, one), getattr(node, other)
        setattr(node, one, second)
        setattr(node, other, first)

    return swap


def _become(node: ast.AST, other: ast.AST) -> None:
    node.__class__ = other.__class__
    fields = dict(vars(other))
    vars(node).clear()
    vars(node).update(fields)


def _compare_by(comparison: type[ast.cmpop], node: ast.Compare) -> None:
    node.ops[0] = comparison()


def _twice(name: str, at: int, node: ast.AST) -> None:
    items = getattr(node, name)
    items.insert(at, copy.copy(items[at]))


def _without(name: str, at: int, node: ast.AST) -> None:
    items = getattr(node, name)
    del items[at]
    if not items and name in ("body", "finalbody"):
        items.append(ast.Pass())
    if isinstance(node, ast.Dict):
        del (node.keys if name == "values" else node.values)[at]


def _swap_in(name: str, at: int, node: ast.AST) -> None:
    items = getattr(node, name)
    items[at - 1], items[at] = items[at], items[at - 1]


# ---------------------------------------------------------------- edits that nobody can feel


class _Renamed(ast.NodeTransformer):
    def __init__(self, names: dict[str, str]) -> None:
        self._names = names

    def generic_visit(self, node: ast.AST) -> ast.AST:
        for field in ("id", "rest", "asname", "" if isinstance(node, ast.alias) else "name"):
            if isinstance(getattr(node, field, None), str):
                setattr(node, field, self._names.get(getattr(node, field), getattr(node, field)))
        return super().generic_visit(node)


def renamed(node: Def, chance: random.Random) -> Def | None:
    """A copy with other names for its local variables; None where a name can be seen, or there is no variable.

    A name gets its new one everywhere, so nothing else may be called by it: no parameter, global or module.
    """
    parts = list(ast.walk(node))[1:]
    words = {part.id for part in parts if isinstance(part, ast.Name)}
    words |= {part.attr for part in parts if isinstance(part, ast.Attribute)}
    if any(isinstance(part, INNER) for part in parts) or words & _SEES_NAMES:
        return None
    code = compiled(text_of(node))
    held = [one for one in _codes(code)]
    fixed = _global_names(symtable.symtable(text_of(node), "<text>", "exec"))
    fixed |= {part.arg for part in parts if isinstance(part, ast.arg)}
    for part in parts:
        if isinstance(part, (ast.Import, ast.ImportFrom)):
            fixed |= {one.name.partition(".")[0] for one in part.names if not one.asname}
    own = sorted({name for one in held for name in (*one.co_varnames, *one.co_cellvars)} - fixed)
    if not own:
        return None
    fresh = [f"zz{number}" for number in range(len(own))]
    chance.shuffle(fresh)
    edited = copy.deepcopy(node)
    edited.body = [_Renamed(dict(zip(own, fresh, strict=True))).visit(part) for part in edited.body]
    return edited


def _global_names(table: symtable.SymbolTable) -> set[str]:
    """The names that some function looks up outside, also where that is never reached."""
    own = {one.get_name() for one in table.get_symbols() if one.is_global() and table.get_type() != "module"}
    return own.union(*map(_global_names, table.get_children()))


def _codes(code: types.CodeType) -> Iterator[types.CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _codes(constant)


class _Dressed(ast.NodeTransformer):
    """Adds docstrings, annotations, and statements that do nothing."""

    def visit_FunctionDef(self, node: Any) -> Any:
        self.generic_visit(node)
        node.body = [ast.Expr(ast.Constant("It does something.")), ast.Pass(), *node.body, ast.Expr(ast.Constant(...))]
        node.returns = ast.Name("int", ast.Load())
        for one in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs):
            one.annotation = ast.Constant("a text")
        return node

    visit_AsyncFunctionDef = visit_FunctionDef


def dressed(node: Def) -> Def:
    """A copy of a function that has no functions within, with a docstring and annotations."""
    edited: Def = _Dressed().visit(bare(node))
    return edited


def bare(node: Def) -> Def:
    """A copy without docstring, annotations, and statements that do nothing."""
    edited = copy.deepcopy(node)
    for part in ast.walk(edited):
        if isinstance(part, ast.arg):
            part.annotation = None
        elif isinstance(part, FUNCTIONS):
            part.returns = None
        elif isinstance(part, ast.AnnAssign):
            part.annotation = ast.Constant(0)  # it makes closures of names that it never looks up
        for field in ("body", "orelse", "finalbody"):
            if isinstance(items := getattr(part, field, None), list):
                needed = field == "body" or (field == "finalbody" and items and not part.handlers)  # type: ignore[attr-defined]
                kept = [one for one in items if not _does_nothing(one)]
                setattr(part, field, kept or ([ast.Pass()] if needed else []))
    return edited


def _does_nothing(node: ast.stmt) -> bool:
    return isinstance(node, ast.Pass) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))


def respelt(text: str, chance: random.Random) -> str:
    """The same text with comments, empty lines, other indentation, and everything in parentheses that may be."""
    depth = chance.choice([1, 2, 3, 8])
    lines: list[str] = ["# a comment", ""]
    for line in text.splitlines():
        body = line.lstrip(" ")
        indent = " " * ((len(line) - len(body)) // 4 * depth)
        if body.startswith("return "):
            body = f"return (  # given\n\n{body[7:]}\n)"
        elif body.startswith("if ") and body.endswith(":"):
            body = f"if \\\n  ({body[3:-1]}) :"
        lines += [indent + body + chance.choice(["", "   ", "  # said", ";" if body[-1:] not in ":,(\\)#" else ""])]
        lines += chance.choice([[], [""], ["", f"{indent}# a thought", ""]])
    return "\n".join(lines) + "\n"
