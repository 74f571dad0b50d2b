"""Scopes: which names of a function are its own, and which it looks up in its module.

Works on the syntax tree, because bytecode tells it differently in every version of Python.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_CALLERS = frozenset(
    {"map", "filter", "sorted", "min", "max", "reduce", "iter", "any", "all", "sum", "isinstance", "issubclass"}
)
"""Functions that call what they are given and ask nothing else of it."""


_HANDING_OUT = frozenset({"staticmethod", "classmethod", "property"})


class Reference(NamedTuple):
    """A name that is looked up in the module, with the attributes that follow, such as `("other", "h")`."""

    chain: tuple[str, ...]
    only_called: bool
    """Whether it is called and nothing else; what is passed on may be asked for its docstring, too."""


@dataclass
class Bound:
    """The names that the statements of one scope bind. `imported` are names that modules have given, too."""

    names: set[str] = field(default_factory=set)
    imported: set[str] = field(default_factory=set)
    of_module: set[str] = field(default_factory=set)
    """Declared `global`."""
    of_outer: set[str] = field(default_factory=set)
    """Declared `nonlocal`."""
    nested: bool = False
    """Whether there are functions or classes in it."""

    @property
    def own(self) -> set[str]:
        """What belongs to this scope."""
        return (self.names | self.imported) - self.of_module - self.of_outer


def parameters(node: Function) -> list[ast.arg]:
    """All parameters of a function, in order."""
    given = node.args
    stars = [star for star in (given.vararg, given.kwarg) if star is not None]
    return [*given.posonlyargs, *given.args, *given.kwonlyargs, *stars]


def body_of(node: Function) -> list[ast.AST]:
    """The statements of a function; the expression of a lambda."""
    return [node.body] if isinstance(node, ast.Lambda) else list(node.body)


def bound_in(parts: list[ast.AST]) -> Bound:
    """The names bound by these parts of one scope; nested scopes are not entered."""
    bound = Bound()
    waiting = list(parts)
    while waiting:
        node = waiting.pop()
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                bound.names.add(node.name)
                bound.nested = True
                waiting.extend(_outside(node))
                continue
            case ast.Lambda():
                bound.nested = True
                waiting.extend(_outside(node))
                continue
            case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
                bound.names.update(part.target.id for part in ast.walk(node) if isinstance(part, ast.NamedExpr))
                bound.nested = bound.nested or any(isinstance(part, FUNCTIONS) for part in ast.walk(node))
                waiting.append(node.generators[0].iter)
                continue
            case ast.Name(ctx=ast.Store() | ast.Del()):
                bound.names.add(node.id)
            case ast.Import() | ast.ImportFrom():
                bound.names.update(alias.asname for alias in node.names if alias.asname)
                bound.imported.update(alias.name.partition(".")[0] for alias in node.names if not alias.asname)
            case ast.Global():
                bound.of_module.update(node.names)
            case ast.Nonlocal():
                bound.of_outer.update(node.names)
            case ast.ExceptHandler(name=str() as name):
                bound.names.add(name)
            case ast.MatchAs(name=str() as name) | ast.MatchStar(name=str() as name):
                bound.names.add(name)
            case ast.MatchMapping(rest=str() as name):
                bound.names.add(name)
        bound.nested = bound.nested or type(node).__name__ == "TypeAlias"  # it knows its name; new in Python 3.12
        waiting.extend(ast.iter_child_nodes(node))
    return bound


def targets(node: Comprehension) -> list[str]:
    """The variables of a comprehension, in order. A target such as `table[key]` reads names, and binds none."""
    parts = [part for one in node.generators for part in ast.walk(one.target)]
    return list(
        dict.fromkeys(part.id for part in parts if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store))
    )


def _outside(node: ast.AST) -> list[ast.AST]:
    """The parts of a function or class that are evaluated where it stands."""
    match node:
        case ast.ClassDef():
            return [*node.decorator_list, *node.bases, *node.keywords]
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            return [*node.decorator_list, *defaults(node)]
        case ast.Lambda():
            return list(defaults(node))
        case _:
            return []


def defaults(node: Function) -> list[ast.expr]:
    """The expressions of a function's defaults."""
    return [*node.args.defaults, *(default for default in node.args.kw_defaults if default is not None)]


def telling_decorators(node: Function) -> list[ast.expr]:
    """The decorators of a function, without those that only say how a class hands it out: the class has that."""
    found = [] if isinstance(node, ast.Lambda) else node.decorator_list
    return [one for one in found if not (isinstance(one, ast.Name) and one.id in _HANDING_OUT)]


def annotated_by(node: Function) -> list[ast.expr]:
    """The annotations of a function's parameters and of what it returns."""
    found = [given.annotation for given in parameters(node) if given.annotation is not None]
    if not isinstance(node, ast.Lambda) and node.returns is not None:
        found.append(node.returns)
    return found


# ---------------------------------------------------------------- references


def references(node: Function, free: frozenset[str]) -> Iterator[Reference]:
    """What the body of a function looks up in its module. `free` are the names that functions around it bind."""
    yield from _in_function(node, free)


def references_in(parts: Sequence[ast.AST], known: frozenset[str] = frozenset()) -> Iterator[Reference]:
    """What expressions or statements look up in their module, where some names are known already."""
    for part in parts:
        yield from _in(part, known, called=False)


def _in_function(node: Function, known: frozenset[str]) -> Iterator[Reference]:
    body = body_of(node)
    bound = bound_in(body)
    inside = (known | bound.own | {given.arg for given in parameters(node)}) - bound.of_module
    for part in body:
        yield from _in(part, frozenset(inside), called=False)
    shown = frozenset(passed_on(body))
    for one in (part for top in body for part in ast.walk(top)):
        if isinstance(one, (ast.FunctionDef, ast.AsyncFunctionDef)) and (one.decorator_list or one.name in shown):
            yield from references_in(annotated_by(one), frozenset(inside))


def _in(node: ast.AST, known: frozenset[str], *, called: bool) -> Iterator[Reference]:
    match node:
        case ast.Name(ctx=ast.Load()):
            if node.id not in known:
                yield Reference((node.id,), called)
            return
        case ast.Attribute() if (chain := chain_of(node)) is not None:
            if chain[0] not in known:
                yield Reference(chain, called)
            return
        case ast.Call():
            yield from _in(node.func, known, called=True)
            calls = isinstance(node.func, ast.Name) and node.func.id in _CALLERS and node.func.id not in known
            for given in (*node.args, *(keyword.value for keyword in node.keywords)):
                yield from _in(given, known, called=calls)
            return
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.Lambda():
            yield from references_in(_outside(node), known)
            yield from _in_function(node, known)
            return
        case ast.ClassDef():
            yield from _in_class(node, known)
            return
        case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
            yield from _in_comprehension(node, known)
            return
        case ast.AugAssign(target=ast.Name(id=name)):  # it is read, too
            if name not in known:
                yield Reference((name,), only_called=False)
        case ast.AnnAssign():  # the annotation is evaluated in a class only
            yield from references_in([part for part in (node.target, node.value) if part is not None], known)
            return
    for part in ast.iter_child_nodes(node):
        yield from _in(part, known, called=False)


def _in_class(node: ast.ClassDef, known: frozenset[str]) -> Iterator[Reference]:
    """A function in a class does not see the names of the class, and its statements may look them up in the module."""
    yield from references_in(_outside(node), known)
    known -= bound_in(list(node.body)).own  # before the class binds them, they are looked up in the module
    for part in node.body:
        yield from _in(part, known, called=False)
    waiting: list[ast.AST] = list(node.body)
    while waiting:
        inner = waiting.pop()
        if isinstance(inner, ast.AnnAssign):
            yield from _in(inner.annotation, known, called=False)
        elif not isinstance(inner, (*FUNCTIONS, ast.ClassDef)):
            waiting.extend(ast.iter_child_nodes(inner))


def _in_comprehension(node: Comprehension, known: frozenset[str]) -> Iterator[Reference]:
    yield from _in(node.generators[0].iter, known, called=False)
    inside = known.union(targets(node))
    for part in ast.iter_child_nodes(node):
        yield from _in(part, inside, called=False)


def chain_of(node: ast.Attribute) -> tuple[str, ...] | None:
    """The name that attributes are taken from, and the attributes; None where they are of something else."""
    names: list[str] = []
    at: ast.expr = node
    while isinstance(at, ast.Attribute):
        names.append(at.attr)
        at = at.value
    return (at.id, *reversed(names)) if isinstance(at, ast.Name) and isinstance(at.ctx, ast.Load) else None


def passed_on(body: list[ast.AST]) -> Iterator[str]:
    """Names that are used otherwise than by calling them."""
    called = {id(part.func) for top in body for part in ast.walk(top) if isinstance(part, ast.Call)}
    for top in body:
        for part in ast.walk(top):
            if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Load) and id(part) not in called:
                yield part.id


def imports(node: ast.AST) -> Iterator[tuple[str, int, tuple[str, ...]]]:
    """The imports within: a module's name, the dots before it, and the names taken out of it."""
    for part in ast.walk(node):
        if isinstance(part, ast.Import):
            yield from ((alias.name, 0, ()) for alias in part.names)
        elif isinstance(part, ast.ImportFrom):
            yield part.module or "", part.level, tuple(alias.name for alias in part.names)
