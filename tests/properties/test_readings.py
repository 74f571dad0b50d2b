"""Readings under random changes: what the user changed shows at once, what functions left behind never does."""

from __future__ import annotations

import functools
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from daggr.engine.fingerprint import reading
from daggr.engine.fingerprint.leaves import LeafMap
from tests.unit.engine.fingerprint.edits.edit import files
from tests.unit.engine.fingerprint.projects import imported

PLAIN = files("""
    import functools
    import other
    from other import base as b, Box
    N = 1
    TABLE = {"a": [1, 2], "b": {"c": (1,)}}
    MEMO, SEEN, MODEL = {}, [], None
    def h1(x, y=1, *, z=2): return x + y + z + N
    def h2(x): return h1(x) + len(TABLE)
    def made(k):
        def inner(x): return x + k
        return inner
    closed = made(3)
    def passing(f):
        @functools.wraps(f)
        def w(*a): return f(*a)
        return w
    @passing
    def wrapped(x): return x
    class Plain:
        limit = 3
        def m(self, x): return x + self.limit
    class Child(Plain):
        def m(self, x): return super().m(x)
    OBJECT = Child()
    MIXED = [1, len, {"k": 2}]
    PART = functools.partial(h1, y=5)
    def fn(x):
        return h2(x), closed(x), wrapped(x), Child().m(x), b(x), other.CONST, other.sub(x), Box(1), MEMO, SEEN, MODEL
    fn.flag = 1
    --- other.py
    CONST = 5
    def base(x): return x * CONST
    def sub(x): return base(x) - 1
    class Box:
        size = 1
        def __init__(self, v): self.v = v
        def get(self): return self.v
""")
FULL = {**PLAIN, "app.py": PLAIN["app.py"].replace("return h2(x),", "return OBJECT, MIXED, PART, h2(x),")}
"""With parts that can only be looked at anew, so that nothing is known at a glance."""


class User:
    """Somebody at a prompt who changes whatever there is."""

    def __init__(self, app: Any, chance: random.Random) -> None:
        self.app, self.other, self._chance = app, app.other, chance
        self._functions = [app.h1, app.h2, app.closed, app.Plain.m, app.Child.m, app.other.base, app.fn, app.wrapped]
        self._first = [app.h1, app.h2, app.other.base, lambda x: x, lambda x: x + 1]
        self._classes = [app.Plain, app.Child, app.other.Box]

    def change(self) -> str:
        """Change something; says what."""
        name = self._chance.choice([name for name in vars(User) if name.startswith("do_")])
        getattr(self, name)()
        return name

    def _value(self) -> Any:
        return self._chance.choice([0, 1, 2, True, "s", 1.0, (1,), None, -0.0])

    def _pick(self, *choices: Any) -> Any:
        return self._chance.choice(choices)

    def do_bind(self) -> None:
        setattr(self.app, self._pick("N", "MODEL", "TABLE"), self._value())

    def do_bind_elsewhere(self) -> None:
        self.other.CONST = self._value()

    def do_delete(self) -> None:
        vars(self.app).pop(self._pick("N", "b", "TABLE"), None)

    def do_change_in_place(self) -> None:
        self.app.MEMO[self._pick("a", "b")] = self._value()
        if isinstance(vars(self.app).get("TABLE"), dict):
            self.app.TABLE["a"] = [self._value()]

    def do_replace_functions(self) -> None:
        setattr(self.app, self._pick("h1", "h2", "b", "closed", "wrapped"), self._pick(*self._first))

    def do_replace_elsewhere(self) -> None:
        setattr(self.other, self._pick("base", "sub"), self._pick(*self._first))

    def do_replace_module(self) -> None:
        self.app.other = self._pick(self.other, self.other, self.app)

    def do_class_attribute(self) -> None:
        setattr(self._pick(*self._classes), self._pick("limit", "size", "fresh"), self._value())

    def do_method(self) -> None:
        setattr(self._pick(*self._classes), self._pick("m", "get", "extra"), self._pick(*self._first))

    def do_delete_members(self) -> None:
        for one in self._classes:
            for name in {"extra", "fresh"} & vars(one).keys():
                delattr(one, name)

    def do_bases(self) -> None:
        self.app.Child.__bases__ = self._pick((self.app.Plain,), (self.other.Box,), (self.app.Plain, self.other.Box))

    def do_class_name(self) -> None:
        self.app.Plain.__qualname__ = self._pick("Plain", "Simple")

    def do_code(self) -> None:
        one, other = self._pick(*self._functions), self._pick(*self._first)
        if len(one.__code__.co_freevars) == len(other.__code__.co_freevars):
            one.__code__ = other.__code__

    def do_defaults(self) -> None:
        self._pick(*self._functions).__defaults__ = self._pick(None, (self._value(),))

    def do_keyword_defaults(self) -> None:
        self._first[0].__kwdefaults__ = self._pick(None, {"z": self._value()})

    def do_keyword_default_in_place(self) -> None:
        if self._first[0].__kwdefaults__ is not None:
            self._first[0].__kwdefaults__["z"] = self._value()

    def do_cell(self) -> None:
        self._functions[2].__closure__[0].cell_contents = self._value()

    def do_wrapped(self) -> None:
        self._functions[-1].__closure__[0].cell_contents = self._pick(*self._first)
        self._functions[-1].__wrapped__ = self._pick(*self._first)

    def do_function_attribute(self) -> None:
        setattr(self._pick(*self._functions), self._pick("flag", "mark"), self._value())

    def do_docstring_and_name(self) -> None:
        one = self._pick(*self._functions)
        one.__doc__, one.__name__ = self._pick(None, "one", "two"), self._pick("one", "two")

    def do_object(self) -> None:
        setattr(self.app.OBJECT, self._pick("a", "b"), self._value())
        self.app.OBJECT.__class__ = self._pick(self.app.Plain, self.app.Child, self.other.Box)

    def do_mixed(self) -> None:
        self.app.MIXED[self._pick(0, 1)] = self._value()
        self.app.MIXED[2]["k"] = self._value()

    def do_partial(self) -> None:
        self.app.PART = functools.partial(self._pick(*self._first), y=self._value())


def read(function: Any) -> LeafMap:
    leaves = LeafMap()
    reading.read_python(leaves, "fn", function)
    return leaves


def read_from_scratch(function: Any) -> LeafMap:
    """What somebody reads who has never read anything."""
    known = dict(reading._readings)
    reading._readings.clear()
    try:
        return read(function)
    finally:
        reading._readings.clear()
        reading._readings.update(known)


@pytest.fixture(autouse=True)
def nothing_is_known() -> Iterator[None]:
    known = dict(reading._readings)
    reading._readings.clear()
    yield
    reading._readings.clear()
    reading._readings.update(known)


def check_user(folder: Path, seed: int, changes: int = 12) -> None:
    """After each change of the user, all is as if it were read for the first time."""
    chance = random.Random(seed)
    with imported(folder, PLAIN if seed % 4 else FULL) as app:
        user, log = User(app, chance), [f"seed {seed}"]
        read(app.fn)
        for _ in range(changes):
            try:
                log.append(user.change())
            except (AttributeError, TypeError) as error:  # not every object lets itself be changed so
                log.append(str(error))
            now, anew = read(app.fn), read_from_scratch(app.fn)
            assert now.leaves == anew.leaves, f"a stale result would be served after {log}"
            assert now.uncached == anew.uncached, log
            assert read(app.fn).leaves == now.leaves, f"a needless rerun after {log}"


def leave_behind(app: Any, chance: random.Random) -> str:
    """What functions do while they run: fill a memo, note something, load a model, keep something in an object."""
    match chance.choice(["memo", "note", "model", "object", "elsewhere"]):
        case "memo":
            app.MEMO[chance.random()] = chance.random()
        case "note":
            app.SEEN.append(object())
        case "model":
            app.MODEL = object()
        case "object":
            app.OBJECT.kept = {"x": chance.random()}
        case "elsewhere":
            app.other.CONST = chance.random()
    return "a function ran"


def check_functions(folder: Path, seed: int, changes: int = 12) -> None:
    """What functions leave behind never shows, whatever the user has done before."""
    chance = random.Random(seed)
    with imported(folder, PLAIN if seed % 4 else FULL) as app:
        user, other = User(app, chance), app.other
        last, log = read(app.fn), [f"seed {seed}"]
        for _ in range(changes):
            if chance.random() < 0.5:
                app.other = other if not isinstance(vars(app).get("other"), ModuleType) else app.other
                log.append(leave_behind(app, chance))
                reading.settle()
                now = read(app.fn)
                assert (now.leaves, now.uncached) == (last.leaves, last.uncached), log
            else:
                log.append(_changed(user))
                last = read(app.fn)


def _changed(user: User) -> str:
    try:
        return user.change()
    except (AttributeError, TypeError) as error:
        return str(error)


Check = Callable[[Path, int], None]


@pytest.mark.parametrize("check", [check_user, check_functions])
@pytest.mark.parametrize("seeds", [range(25), range(25, 50)])
def test_changes_count_by_who_made_them(tmp_path: Path, check: Check, seeds: range) -> None:
    for seed in seeds:
        check(tmp_path, seed)


@pytest.mark.long
@pytest.mark.parametrize("check", [check_user, check_functions])
@pytest.mark.parametrize("seeds", [range(start, start + 60) for start in range(1000, 1300, 60)])
def test_many_changes_count_by_who_made_them(tmp_path: Path, check: Check, seeds: range) -> None:
    for seed in seeds:
        check(tmp_path, seed)
