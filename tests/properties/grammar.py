"""Random small functions, as text: few names, so that they shadow each other wherever Python lets them."""

from __future__ import annotations

import random
import sys

NAMES = ("a", "b", "x", "g")


def source(chance: random.Random, *, nested: bool) -> str:
    """The text of a function; with functions, lambdas and classes within, or without. It need not compile."""
    given = chance.choice(["x", "x, g", "x, *a", "x, /, a=None"])
    head = f"def f({given}):\n" + chance.choice(["", "", "  global g\n"])
    return head + _Grammar(chance, nested).block(chance.choice([0, 1, 2]), "  ") + "\n"


class _Grammar:
    def __init__(self, chance: random.Random, nested: bool) -> None:
        self._chance = chance
        self._pick = chance.choice
        self._nested = nested

    def name(self) -> str:
        return self._pick(NAMES)

    # ------------------------------------------------------------ expressions

    def expression(self, depth: int) -> str:
        if depth <= 0:
            return self._pick([*NAMES, *NAMES, "1", "True", "1.0", "''", "b''", "None", "...", "()"])
        kinds = [self._call, self._call, self._display, self._operation, self._comprehension, self._small]
        return self._pick([*kinds, self._lambda] if self._nested else kinds)(depth - 1)

    def _call(self, depth: int) -> str:
        one, two, name = self.expression(depth), self.expression(depth), self.name()
        calls = [
            f"{one}({two})",
            f"{one}()({two})",
            f"{name}({one})()",
            f"{name}(*{one}, {self.name()}={two}, **{one})",
        ]
        return self._pick([*calls, f"{name}({one}, {two})"])

    def _display(self, depth: int) -> str:
        one, two = self.expression(depth), self.expression(depth)
        return self._pick([f"({one}, {two})", f"[{one}, *{two}]", f"{{{one}: {two}, **{one}}}", f"{{{one}, {two}}}"])

    def _operation(self, depth: int) -> str:
        one, two, name = self.expression(depth), self.expression(depth), self.name()
        operator = self._pick(["+", "-", "and", "or", "<", "is", "in", "not in", "<="])
        more = [f"({name} < {one} < {two})", f"({one} if {two} else {name})", f"({name} := {one})", f"(not {one})"]
        return self._pick([f"({one} {operator} {two})", *more])

    def _small(self, depth: int) -> str:
        name, one = self.name(), self._pick(["", self.expression(depth)])
        how = self._pick(["", "!r", ":>{a}", ":x"])
        return self._pick(
            [f"{name}[{one}:{self.name()}]", f"{name}.{self._pick(NAMES)}", f"{name}[x]", f"f't{{{name}{how}}}'"]
        )

    def _comprehension(self, depth: int) -> str:
        opened, closed = self._pick([("[", "]"), ("{", "}"), ("(", ")")])
        loops = f"for {self.target()} in {self.expression(depth)}"
        if self._chance.random() < 0.4:
            loops += f" for {self.target()} in {self.expression(depth)}"
        if self._chance.random() < 0.4:
            loops += f" if {self.expression(depth)}"
        return f"{opened}{self.expression(depth)} {loops}{closed}"

    def _lambda(self, depth: int) -> str:
        default = self._pick(["", f"={self.expression(depth)}"])
        return f"(lambda {self.name()}{default}: {self.expression(depth)})"

    def target(self) -> str:
        one, two = self.name(), self.name()
        return self._pick([one, one, f"({one}, {two})", f"{one}[{two}]", f"{one}.a", f"({one}, *{two})"])

    # ------------------------------------------------------------ statements

    def block(self, depth: int, indent: str) -> str:
        return "\n".join(indent + self._statement(depth, indent) for _ in range(self._pick([1, 1, 2, 3])))

    def _statement(self, depth: int, indent: str) -> str:
        if depth <= 0 or self._chance.random() < 0.3:
            return self._simple()
        kinds = [self._branch, self._loop, self._with, self._try, self._match]
        return self._pick([*kinds, self._definition] if self._nested else kinds)(depth - 1, indent)

    def _some(self) -> str:
        return self.expression(self._pick([0, 1, 2]))

    def _simple(self) -> str:
        name, other, some = self.name(), self.name(), self._some()
        bindings = [
            f"{self.target()} = {some}",
            f"{name} += {some}",
            f"del {name}",
            f"{name}: g = {some}",
            f"{name}: g",
        ]
        imports = [f"import m.a as {name}", f"from m import b as {name}", f"import {name}.c", f"from m import {name}"]
        others = [f"return {some}", some, f"yield {some}", f"assert {some}", f"raise {some} from {other}", "pass"]
        return self._pick([*bindings, *imports, *others, f"{name} = {other} = {some}"])

    def _branch(self, depth: int, indent: str) -> str:
        then, other = self.block(depth, indent + "  "), self.block(depth, indent + "  ")
        more = ["", f"\n{indent}else:\n{other}", f"\n{indent}elif {self._some()}:\n{other}"]
        return f"if {self._some()}:\n{then}{self._pick(more)}"

    def _loop(self, depth: int, indent: str) -> str:
        body = self.block(depth, indent + "  ")
        more = self._pick(["", f"\n{indent}  break", f"\n{indent}  continue", f"\n{indent}else:\n{body}"])
        return self._pick([f"for {self.target()} in {self._some()}:", f"while {self._some()}:"]) + f"\n{body}{more}"

    def _with(self, depth: int, indent: str) -> str:
        more = self._pick(["", f", {self._some()} as {self.name()}"])
        return f"with {self._some()} as {self.target()}{more}:\n{self.block(depth, indent + '  ')}"

    def _try(self, depth: int, indent: str) -> str:
        star = "*" if sys.version_info >= (3, 11) and self._chance.random() < 0.3 else ""
        blocks = [self.block(depth, indent + "  ") for _ in range(4)]
        more = self._pick(["", f"\n{indent}else:\n{blocks[2]}"]) + self._pick(["", f"\n{indent}finally:\n{blocks[3]}"])
        named = self._pick(["", f" as {self.name()}"])
        return f"try:\n{blocks[0]}\n{indent}except{star} {self._some()}{named}:\n{blocks[1]}{more}"

    def _match(self, depth: int, indent: str) -> str:
        first, second = self.block(depth, indent + "    "), self.block(depth, indent + "    ")
        guard = self._pick(["", f" if {self._some()}"])
        cases = f"{indent}  case {self._pattern(2)}{guard}:\n{first}\n{indent}  case {self._pattern(1)}:\n{second}"
        return f"match {self._some()}:\n{cases}"

    def _pattern(self, depth: int) -> str:
        name = self.name()
        if depth <= 0:
            return self._pick([name, "_", "1", "None", "True", "'a'", "g.a"])
        one, two = self._pattern(depth - 1), self._pattern(depth - 1)
        sequences = [f"[{one}, *{name}]", f"[{one}, {two}]", f"{{'k': {one}, **{name}}}"]
        return self._pick([*sequences, f"g({one}, a={two})", f"({one}) as {name}", "1 | 2", name])

    def _definition(self, depth: int, indent: str) -> str:
        name, body = self.name(), self.block(depth, indent + "  ")
        declared = self._pick(["", f"{indent}  nonlocal {self.name()}\n"])
        function = f"def {name}({self.name()}, *c):\n{declared}{body}"
        return self._pick([f"class {name}({self._some()}):\n{body}", function, f"def {name}():\n{body}"])
