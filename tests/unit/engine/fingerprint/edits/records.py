"""Classes that are mostly data: dataclasses, named tuples, enumerations, pydantic models."""

from __future__ import annotations

from tests.unit.engine.fingerprint.edits.edit import Edit, edit


def record(name: str, text: str, *, call: str = "fn(3)") -> Edit:
    """An edit of a dataclass."""
    return edit(name, f"import dataclasses\nfrom dataclasses import dataclass, field\n{text}", call=call)


DATACLASSES = [
    record("field of a dataclass", "@dataclass\nclass P:\n    a: int = «1 → 2»\ndef fn(x): return P().a"),
    record(
        "type of a field",
        "@dataclass\nclass P:\n    a: «int → float» = 1\ndef fn(x): return str(dataclasses.fields(P)[0].type)",
    ),
    record("name of a field", "@dataclass\nclass P:\n    «a → b»: int\ndef fn(x): return P(x)"),
    record(
        "order of fields",
        "@dataclass\nclass P:\n    «a: int → b: int»\n    «b: int → a: int»\ndef fn(x): return P(x, 1).a",
    ),
    record(
        "factory of a field",
        "@dataclass\nclass P:\n    a: list = field(default_factory=lambda: [«1 → 2»])\ndef fn(x): return P().a",
    ),
    record("own factory of a field", """
def h(): return [«1 → 2»]
@dataclass
class P:
    a: list = field(default_factory=h)
def fn(x): return P().a
"""),
    record(
        "library factory of a field",
        "@dataclass\nclass P:\n    a: object = field(default_factory=«list → dict»)\ndef fn(x): return P().a",
    ),
    record(
        "field for repr",
        "@dataclass\nclass P:\n    a: int = field(default=1, repr=«True → False»)\ndef fn(x): return repr(P())",
    ),
    record(
        "field for comparing",
        "@dataclass\nclass P:\n    a: int = field(default=1, compare=«True → False»)\ndef fn(x): return P(1) == P(2)",
    ),
    record(
        "metadata of a field",
        "@dataclass\nclass P:\n    a: int = field(default=1, metadata={'unit': '«m → s»'})\n"
        "def fn(x): return dataclasses.fields(P)[0].metadata['unit']",
    ),
    record(
        "frozen dataclass",
        "@dataclass(frozen=«False → True»)\nclass P:\n    a: int = 1\ndef fn(x):\n    p = P()\n"
        "    p.a = x\n    return p.a",
    ),
    record(
        "ordered dataclass",
        "@dataclass(order=«False → True»)\nclass P:\n    a: int = 1\ndef fn(x): return P(1) < P(x)",
    ),
    record(
        "dataclass without repr",
        "@dataclass(repr=«True → False»)\nclass P:\n    a: int = 1\ndef fn(x): return repr(P())",
    ),
    record(
        "dataclass without eq",
        "@dataclass(eq=«True → False»)\nclass P:\n    a: int = 1\ndef fn(x): return P() == P()",
    ),
    record(
        "dataclass by keyword",
        "@dataclass(kw_only=«False → True»)\nclass P:\n    a: int = 1\ndef fn(x): return P(x).a",
    ),
    record(
        "dataclass with slots",
        "@dataclass(slots=«False → True»)\nclass P:\n    a: int = 1\ndef fn(x): return hasattr(P(), '__dict__')",
    ),
    record(
        "variable of the class for a field",
        "import typing\n@dataclass\nclass P:\n    a: «int → typing.ClassVar[int]» = 1\ndef fn(x): return P(x).a",
    ),
    record(
        "what a dataclass does after",
        "@dataclass\nclass P:\n    a: int\n    def __post_init__(self): self.a «+= → -=» 1\ndef fn(x): return P(x).a",
    ),
    record(
        "method of a dataclass",
        "@dataclass\nclass P:\n    a: int\n    def run(self): return self.a «+ → -» 1\ndef fn(x): return P(x).run()",
    ),
    record(
        "base of a dataclass",
        "@dataclass\nclass A:\n    a: int = «1 → 2»\n@dataclass\nclass P(A):\n    b: int = 1\ndef fn(x): return P().a",
    ),
    record("dataclass of an own module", """
from other import P
def fn(x): return P().a
--- other.py
from dataclasses import dataclass
@dataclass
class P:
    a: int = «1 → 2»
"""),
    record(
        "dataclass made by a call",
        "P = dataclasses.make_dataclass('P', [('a', int, «1 → 2»)])\ndef fn(x): return P().a",
    ),
    record("object of a dataclass", "@dataclass\nclass P:\n    a: int\nS = P(«1 → 2»)\ndef fn(x): return S.a"),
    record(
        "object of a frozen dataclass",
        "@dataclass(frozen=True)\nclass P:\n    a: int\nS = P(«1 → 2»)\ndef fn(x): return S.a",
    ),
    record(
        "object of a dataclass with slots",
        "@dataclass(slots=True)\nclass P:\n    a: int\nS = P(«1 → 2»)\ndef fn(x): return S.a",
    ),
    record(
        "field that comparing leaves out",
        "@dataclass\nclass P:\n    a: int = field(compare=False, repr=False)\nS = P(«1 → 2»)\ndef fn(x): return S.a",
    ),
    record(
        "dataclass as a default",
        "@dataclass(frozen=True)\nclass P:\n    a: int\ndef fn(x, p=P(«1 → 2»)): return p.a",
    ),
]  # fmt: skip

TUPLES = [
    edit("default of a named tuple", """
        from typing import NamedTuple
        class P(NamedTuple):
            a: int = «1 → 2»
        def fn(x): return P().a
    """),
    edit("order of a named tuple", """
        from typing import NamedTuple
        class P(NamedTuple):
            «a: int → b: int»
            «b: int → a: int»
        def fn(x): return P(x, 1).a
    """),
    edit("method of a named tuple", """
        from typing import NamedTuple
        class P(NamedTuple):
            a: int
            def run(self): return self.a «+ → -» 1
        def fn(x): return P(x).run()
    """),
    edit("named tuple of collections", """
        import collections
        P = collections.namedtuple('P', 'a «b c → c b»')
        def fn(x): return P(1, 2, x).b
    """),
    edit("default of a named tuple of collections", """
        import collections
        P = collections.namedtuple('P', 'a', defaults=[«1 → 2»])
        def fn(x): return P().a
    """),
    edit("value of a named tuple", """
        from typing import NamedTuple
        class P(NamedTuple):
            a: int
        S = P(«1 → 2»)
        def fn(x): return S.a
    """),
    edit("value of a named tuple of collections", """
        import collections
        P = collections.namedtuple('P', 'a b')
        S = P(1, «1 → 2»)
        def fn(x): return S.b
    """),
    edit("keys of a typed dict", """
        from typing import TypedDict
        class P(TypedDict):
            «a → b»: int
        def fn(x): return list(P.__annotations__)
    """),
    edit("typed dict that need not be total", """
        from typing import TypedDict
        class P(TypedDict, total=«True → False»):
            a: int
        def fn(x): return sorted(P.__required_keys__)
    """),
]  # fmt: skip

ENUMS = [
    edit("value of an enumeration", """
        import enum
        class Color(enum.Enum):
            RED = «1 → 2»
        def fn(x): return Color.RED.value
    """),
    edit("name in an enumeration", """
        import enum
        class Color(enum.Enum):
            «RED → BLUE» = 1
        def fn(x): return list(Color)
    """),
    edit("order of an enumeration", """
        import enum
        class Color(enum.Enum):
            «RED = 1 → BLUE = 2»
            «BLUE = 2 → RED = 1»
        def fn(x): return [c.name for c in Color]
    """),
    edit("alias in an enumeration", """
        import enum
        class Color(enum.Enum):
            RED = 1
            BLUE = 2
            DEFAULT = «RED → BLUE»
        def fn(x): return Color.DEFAULT.name
    """),
    edit("method of an enumeration", """
        import enum
        class Color(enum.Enum):
            RED = 1
            def rate(self): return self.value «+ → -» 5
        def fn(x): return Color.RED.rate()
    """),
    edit("function on an enumeration's values", """
        import enum
        class Color(enum.Enum):
            RED = 1
            @classmethod
            def _missing_(cls, value): return «None → cls.RED»
        def fn(x): return Color(x)
    """),
    edit("enumeration of texts", """
        import enum
        class Color(str, enum.Enum):
            RED = '«red → rouge»'
        def fn(x): return Color.RED.upper()
    """),
    edit("flags", """
        import enum
        class Access(enum.Flag):
            READ = enum.auto()
            WRITE = enum.auto()
            ALL = READ «| → &» WRITE
        def fn(x): return Access.ALL.value
    """),
    edit("kind of an enumeration", """
        import enum
        class Color(enum.«Enum → IntEnum»):
            RED = 1
        def fn(x): return Color.RED == 1
    """),
    edit("enumeration of an own module", """
        from other import Color
        def fn(x): return Color.RED.value
        --- other.py
        import enum
        class Color(enum.Enum):
            RED = «1 → 2»
    """),
    edit("member that a global is", """
        import enum
        class Color(enum.Enum):
            RED = 1
            BLUE = 2
        C = Color.«RED → BLUE»
        def fn(x): return C.name
    """),
    edit("member of a flag that a global is", """
        import enum
        class Access(enum.Flag):
            READ = 1
            WRITE = 2
        A = Access.READ« →  | Access.WRITE»
        def fn(x): return A.value
    """),
    edit("member as a default", """
        import enum
        class Color(enum.Enum):
            RED = 1
            BLUE = 2
        def fn(x, c=Color.«RED → BLUE»): return c.name
    """),
    edit("member as a key", """
        import enum
        class Color(enum.Enum):
            RED = 1
            BLUE = 2
        T = {Color.«RED → BLUE»: 1, Color.«BLUE → RED»: 2}
        def fn(x): return T[Color.RED]
    """),
    edit("enumeration made by a call", """
        import enum
        Color = enum.Enum('Color', {'RED': «1 → 2»})
        def fn(x): return Color.RED.value
    """),
]  # fmt: skip

MODELS = [
    edit("default of a pydantic model", """
        from pydantic import BaseModel
        class P(BaseModel):
            a: int = «1 → 2»
        def fn(x): return P().a
    """),
    edit("type of a pydantic model's field", """
        from pydantic import BaseModel
        class P(BaseModel):
            a: «int → str»
        def fn(x): return P(a='3').a
    """),
    edit("limit of a pydantic model's field", """
        from pydantic import BaseModel, Field
        class P(BaseModel):
            a: int = Field(gt=«1 → 5»)
        def fn(x): return P(a=x).a
    """),
    edit("description of a pydantic model's field", """
        from pydantic import BaseModel, Field
        class P(BaseModel):
            a: int = Field(description='«a name → a number»')
        def fn(x): return P.model_json_schema()
    """),
    edit("validator of a pydantic model", """
        from pydantic import BaseModel, field_validator
        class P(BaseModel):
            a: int
            @field_validator('a')
            @classmethod
            def more(cls, a): return a «+ → -» 1
        def fn(x): return P(a=x).a
    """),
    edit("docstring of a pydantic model", """
        from pydantic import BaseModel
        class P(BaseModel):
            '''«Names → Numbers» of things.'''
            a: int
        def fn(x): return P.model_json_schema()
    """),
    edit("pydantic model in another one", """
        from pydantic import BaseModel
        class P(BaseModel):
            a: int = «1 → 2»
        class Q(BaseModel):
            p: P = P()
        def fn(x): return Q().p.a
    """),
    edit("object of a pydantic model", """
        from pydantic import BaseModel
        class P(BaseModel):
            a: int
        S = P(a=«1 → 2»)
        def fn(x): return S.a
    """),
]  # fmt: skip

MUST_CHANGE = [*DATACLASSES, *TUPLES, *ENUMS, *MODELS]
