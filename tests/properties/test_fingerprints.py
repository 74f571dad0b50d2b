"""Forms of code, attacked by machine: what behaves otherwise has another form, what is only spelt otherwise has not.

The judge is Python's compiler. Long runs go through the whole standard library.
"""

from __future__ import annotations

import ast
import gc
import importlib
import itertools
import random
import subprocess
import sys
import types
from collections.abc import Callable
from pathlib import Path

import pytest

import daggr
from daggr.digest import Digest
from daggr.engine.fingerprint.canonical import function_form
from daggr.engine.fingerprint.code import loaded_globals
from daggr.engine.fingerprint.function import function_code
from daggr.engine.fingerprint.node import Fingerprint
from daggr.engine.fingerprint.scope import references
from daggr.engine.fingerprint.text import source_text
from tests.properties import grammar
from tests.properties.mutations import (
    COMPREHENSIONS,
    INNER,
    Def,
    bare,
    behaviour,
    compiled,
    dressed,
    functions_of,
    mutants,
    renamed,
    respelt,
    text_of,
)
from tests.unit.engine.fingerprint.edits.edit import files
from tests.unit.engine.fingerprint.projects import imported, print_in, print_of_function

LIBRARY = Path(ast.__file__).parent
SOME = (
    "argparse",
    "ast",
    "contextlib",
    "csv",
    "dataclasses",
    "functools",
    "heapq",
    "inspect",
    "json/decoder",
    "typing",
)
OTHERS = ("asyncio/tasks", "asyncio/base_events", "email/message", "concurrent/futures/thread", "unittest/mock")
EVERY = sorted({*LIBRARY.glob("*.py"), *LIBRARY.glob("asyncio/*.py"), *Path(str(daggr.__file__)).parent.rglob("*.py")})

Forms = tuple[Digest, Digest]


def function_in(text: str) -> Def:
    node = ast.parse(text).body[0]
    assert isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    return node


def forms_of(node: ast.AST) -> Forms:
    """The short and the full form of a function, written and read again."""
    return _forms(text_of(node))


def _forms(text: str) -> Forms:
    node = function_in(text)
    return function_form(node, full=False), function_form(node, full=True)


def check_file(path: Path, functions: int, edits: int) -> int:
    """Edit some functions of a file in ways that can be felt, and in ways that cannot; how many could be felt."""
    chance, felt = random.Random(str(path.relative_to(path.parents[1]))), 0
    every = functions_of(path)
    for node in chance.sample(every, min(functions, len(every))):
        plain = bare(node)
        check_spelling(plain, chance)
        felt += check_edits(plain, chance, edits)
    return felt


def check_spelling(node: Def, chance: random.Random) -> None:
    forms, text = forms_of(node), text_of(node)
    other = renamed(node, chance)
    if other is not None:
        assert forms_of(other) == forms, f"renamed:\n{text}\n{text_of(other)}"
    spelt = respelt(text, chance)
    if _says_the_same(spelt, text):  # not where a text goes over several lines
        assert _forms(spelt) == forms, f"spelt otherwise:\n{spelt}"
    if not any(isinstance(part, INNER) for part in list(ast.walk(node))[1:]):
        short, full = forms_of(dressed(node))
        assert short == forms[0], f"docstring and annotations:\n{text}"
        assert full != forms[1], f"docstring and annotations:\n{text}"


def _says_the_same(one: str, other: str) -> bool:
    try:
        return ast.dump(ast.parse(one)) == ast.dump(ast.parse(other))
    except SyntaxError:
        return False


def check_edits(node: Def, chance: random.Random, count: int) -> int:
    forms, does, felt = forms_of(node), behaviour(compiled(text_of(node))), 0
    for name, changed in mutants(node, chance, count):
        edited = bare(changed)
        if behaviour(compiled(text_of(edited))) != does:
            felt += 1
            differ = [one != other for one, other in zip(forms_of(edited), forms, strict=True)]
            assert all(differ), f"a stale result would be served: {name}\n{text_of(node)}\n{text_of(edited)}"
    return felt


@pytest.mark.parametrize("module", [*SOME, *OTHERS])
def test_what_behaves_otherwise_has_another_form_and_nothing_else_has(module: str) -> None:
    assert check_file(LIBRARY / f"{module}.py", functions=8, edits=10) > 20


@pytest.mark.long
@pytest.mark.parametrize("path", [pytest.param(path, id=str(path.relative_to(path.parents[1]))) for path in EVERY])
def test_whole_files_behave_as_their_forms_say(path: Path) -> None:
    check_file(path, functions=40, edits=40)


# ---------------------------------------------------------------- random functions


def check_random_functions(seed: int, count: int) -> int:
    """Functions of one form do the same, renamed ones have one form, and globals are followed; how many forms."""
    chance = random.Random(seed)
    known: dict[Digest, tuple[object, str]] = {}
    for number in range(count):
        text = grammar.source(chance, nested=number % 3 == 0)
        try:
            compiled(text)
        except SyntaxError:
            continue
        node = bare(function_in(text))
        check_global_names(text)
        other = renamed(node, chance)
        if other is not None:
            assert forms_of(other)[0] == forms_of(node)[0], f"renamed:\n{text_of(node)}\n{text_of(other)}"
        for one in [node, *([other] if other else []), *(bare(edited) for _, edited in mutants(node, chance, 4))]:
            if sys.version_info >= (3, 12) and any(isinstance(part, COMPREHENSIONS) for part in ast.walk(one)):
                continue  # they are inlined: their variables share places with those around, by chance of the name
            does, short = behaviour(compiled(text_of(one))), forms_of(one)[0]
            seen = known.setdefault(short, (does, text_of(one)))
            assert seen[0] == does, f"one form:\n{seen[1]}\n{text_of(one)}"
    return len(known)


def check_global_names(text: str) -> None:
    """Whatever the compiler takes for a global, the syntax tree is read so, too."""
    code = compiled(text_of(bare(function_in(text))))
    followed = {one.chain[0] for one in references(function_in(text), frozenset(code.co_freevars))}
    assert {chain[0] for chain in loaded_globals(code)} - followed <= {"__name__", "__annotations__"}, text


@pytest.mark.parametrize("seed", range(4))
def test_random_functions_have_one_form_if_they_do_the_same(seed: int) -> None:
    assert check_random_functions(seed, 150) > 60


@pytest.mark.long
@pytest.mark.parametrize("seed", range(100, 112))
def test_many_random_functions_have_one_form_if_they_do_the_same(seed: int) -> None:
    check_random_functions(seed, 600)


# ---------------------------------------------------------------- which function of a file it is

MODULES = """argparse ast asyncio.base_events asyncio.tasks base64 bdb calendar cmd codecs collections configparser
contextlib copy csv dataclasses decimal difflib dis doctest email.message enum fileinput fractions functools gettext
heapq html.parser http.client http.cookies inspect ipaddress json.decoder json.encoder logging logging.handlers
mailbox optparse pathlib pickle platform plistlib pprint queue random selectors shlex shutil smtplib socket
statistics string subprocess tarfile tempfile textwrap threading tokenize traceback types typing unittest.mock
urllib.parse urllib.request uuid weakref xml.dom.minidom zipfile""".split()  # noqa: SIM905  (it reads better)
TWISTED = {("asyncio.tasks", "__sleep0"), ("typing", "F"), ("typing", "_Func")}
"""Made by hand: with flags that their source does not give, or not from a function at all."""


def check_module(name: str) -> int:
    """Every function of a module is found in its source, at its line, and its globals are followed; how many."""
    module = importlib.import_module(name)
    live = {one.__code__ for one in gc.get_objects() if type(one) is types.FunctionType and one.__module__ == name}
    codes = [code for code in live if code.co_filename == module.__file__]
    for code in codes:
        source = source_text(code.co_filename, code.co_flags & 0xFFF0000)
        assert source is not None
        node = source.find(code)
        if node is None:
            assert (name, code.co_name) in TWISTED, f"{name}: {code.co_name}, line {code.co_firstlineno}"
            continue
        first = min([node.lineno, *(one.lineno for one in getattr(node, "decorator_list", []))])
        assert (getattr(node, "name", "<lambda>"), first) == (code.co_name, code.co_firstlineno)
        said = function_code(code)
        assert said.text
        followed = {one.chain[0] for one in (*said.references, *said.full_references)}
        assert {chain[0] for chain in loaded_globals(code)} - followed <= {"__name__", "__annotations__"}, code
    return len(codes)


@pytest.mark.parametrize("name", ["asyncio.tasks", "enum", "ipaddress", "smtplib", "textwrap", "xml.dom.minidom"])
def test_functions_of_real_modules_are_found_in_their_source(name: str) -> None:
    assert check_module(name) > 3


@pytest.mark.long
@pytest.mark.parametrize("name", MODULES)
def test_functions_of_many_real_modules_are_found_in_their_source(name: str) -> None:
    check_module(name)


def test_each_of_many_lambdas_on_a_line_is_found(tmp_path: Path) -> None:
    text = "".join(f"lambda x, y=lambda: {n % 7}: x + {n}, " for n in range(300))
    with imported(tmp_path, files(f"every = [{text}]\n")) as app:
        source = source_text(app.__file__)
        assert source is not None
        for number, one in enumerate(app.every):
            node = source.find(one.__code__)
            assert isinstance(node, ast.Lambda)
            assert ast.unparse(node.body) == f"x + {number}"
            assert source.segment(node).endswith(f": x + {number}")


# ---------------------------------------------------------------- what was found by machine

LOOP = "def fn(x):\n    {} = {{}}, {{}}\n    [0 for {}[0] in x]\n    return a\n"
LOOP_OF_GLOBALS = "a, b = {{}}, {{}}\ndef fn(x):\n    [0 for {}[0] in x]\n    return h()\ndef h(): return a\n"
BASES = """
import one, two
class Both(one.Base, two.Base): ...
PICKED = [{}.Base]
def h(): return PICKED
def fn(x): return Both, h()[0].limit
--- one.py
class Base: limit = 1
--- two.py
class Base:
    limit = 2
    other = 3
"""
KINDS = """
class A: v = 1
class B: v = 2
KINDS = {{A, B}}
PICKED = {}
def h(): return PICKED
def fn(x): return KINDS, h().v
"""
MANGLED = "def _C__h(x): return x + {}\nclass C:\n    def m(self, x): return __h(x)\ndef fn(x): return C().m(x)\n"
ADDING = (
    "class A:\n    def __iadd__(self, other): return {}\nG = A()\ndef fn(x):\n    global G\n    G += x\n    return x\n"
)
IN_A_CLASS = "g = {}\ndef fn(g):\n    class A:\n        h = g\n        g = 1\n    return A.h\n"
ANNOTATED = "T = {}\ndef fn(x):\n    class A:\n        if x:\n            y: T\n    return A.__annotations__\n"
AFTER_A_FORM_FEED = "import inspect\n\f\ndef h(x):\n    return 1  # {}\n\ndef fn(x): return inspect.getsource(h)\n"


@pytest.mark.parametrize(
    ("project", "before", "after"),
    [
        pytest.param(LOOP.replace("{}", "a, b", 1), "a", "b", id="what a comprehension stores in"),
        pytest.param(LOOP_OF_GLOBALS, "a", "b", id="global that a comprehension stores in"),
        pytest.param(BASES, "one", "two", id="two bases of one name"),
        pytest.param(KINDS, "A", "B", id="a class that is also in a set"),
        pytest.param(MANGLED, "1", "2", id="private name in a class"),
        pytest.param(ADDING, "self", "None", id="in-place operator of a global"),
        pytest.param(IN_A_CLASS, "1", "2", id="global that a class in a function reads before it binds it"),
        pytest.param(ANNOTATED, "int", "str", id="annotation in a block of a class"),
        pytest.param(AFTER_A_FORM_FEED, "1", "2", id="source after a form feed"),
    ],
)
def test_an_edit_that_was_missed_makes_another_definition(
    tmp_path: Path, project: str, before: str, after: str
) -> None:
    found = [print_in(tmp_path / one, files(project.format(one))) for one in (before, after)]
    assert [one.uncached for one in found] == ["", ""]
    assert found[0].digest != found[1].digest


@pytest.mark.skipif(sys.version_info < (3, 12), reason="new in Python 3.12")
@pytest.mark.parametrize(
    "text",
    [
        "def fn(x):\n    def h[T: {}](y): return T.__bound__\n    return h(x)\n",
        "def fn(x):\n    type {}s = int\n    return str({}s)\n",
    ],
    ids=["bound", "alias"],
)
def test_types_within_a_function_are_part_of_it(tmp_path: Path, text: str) -> None:
    found = [print_in(tmp_path / one, files(text.format(one, one))) for one in ("int", "str")]
    assert found[0].digest != found[1].digest


PLACES = """
import sys, tempfile, pathlib
from tests.unit.engine.fingerprint.projects import print_in
junk = [type("Junk", (), {}) for _ in range(int(sys.argv[1]))]
text = "class A: v = 1\\nclass B: v = 2\\ndef h(): return 1\\nKINDS = {A, B, h}\\ndef fn(x): return KINDS\\n"
print(print_in(pathlib.Path(tempfile.mkdtemp()), {"app.py": text}).digest.hex())
"""


def test_a_set_of_classes_is_the_same_wherever_they_lie_in_memory() -> None:
    said = [
        subprocess.run([sys.executable, "-c", PLACES, str(n)], capture_output=True, text=True, check=True).stdout
        for n in (0, 7, 21)
    ]
    assert len(set(said)) == 1


# ---------------------------------------------------------------- big and deep

LINKED = """
class Node: ...
FIRST = None
for number in range(1500):
    node = Node()
    node.value, node.next, FIRST = {}, FIRST, node
    FIRST = node
del node
def fn(x): return FIRST
"""
PARTIALS = """
import functools
def f(*a): return a
H = f
for _ in range(200):
    H = functools.partial(H, {})
    H.x = 1
def fn(x): return H
"""
CHAIN = (
    "".join(f"def h{n}(x): return h{n + 1}(x)\n" for n in range(600))
    + "def h600(x): return {}\ndef fn(x): return h0(x)\n"
)
LIST = "def h(x): return {}\nDEEP = h\nfor _ in range(200): DEEP = [DEEP]\ndef fn(x): return DEEP\n"


@pytest.fixture
def edited(tmp_path: Path) -> Callable[[str, str, str], tuple[Fingerprint, Fingerprint]]:
    count = itertools.count()

    def prints(text: str, before: str, after: str) -> tuple[Fingerprint, Fingerprint]:
        found = [print_in(tmp_path / str(next(count)), files(text.replace("{}", one))) for one in (before, after)]
        return found[0], found[1]

    return prints


@pytest.mark.parametrize(
    ("text", "before", "after"),
    [
        pytest.param(LINKED, "number", "number or 'last'", id="linked list"),
        pytest.param(PARTIALS, "_", "max(_, 1)", id="partials of partials"),
        pytest.param(CHAIN, "1", "2", id="chain of functions"),
        pytest.param(LIST, "1", "2", id="lists in lists"),
    ],
)
def test_what_lies_at_the_end_of_something_deep_counts(
    edited: Callable[[str, str, str], tuple[Fingerprint, Fingerprint]], text: str, before: str, after: str
) -> None:
    found = edited(text, before, after)
    assert [one.uncached for one in found] == ["", ""]
    assert found[0].digest != found[1].digest
    assert edited(text, before, before)[0].digest == found[0].digest


def test_names_of_leaves_do_not_grow_with_the_way_to_them(tmp_path: Path) -> None:
    found = print_in(tmp_path, files(CHAIN.replace("{}", "1")))
    assert len(found.leaves) > 600
    assert max(map(len, found.leaves)) < 400


def test_default_values_beyond_the_parameters_are_no_reason_to_fail(tmp_path: Path) -> None:
    with imported(tmp_path, files("def fn(): return 1\nfn.__defaults__ = (1, 2)\n")) as app:
        assert print_of_function(app.fn).uncached == ""
