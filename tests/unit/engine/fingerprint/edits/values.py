"""Data that a function reads: globals of every type."""

from __future__ import annotations

from tests.unit.engine.fingerprint.edits.edit import Edit, edit


def value(name: str, expression: str, imports: str = "", shown: str = "repr(V)") -> Edit:
    """An edit of a global."""
    return edit(name, f"{imports}\nV = {expression}\ndef fn(x): return {shown}")


PLAIN = [
    edit("global number", "RATE = «3 → 4»\ndef fn(x): return x * RATE"),
    edit("global used in a nested function", "RATE = «3 → 4»\ndef fn(x): return [y * RATE for y in range(x)]"),
    edit("global used in a lambda", "RATE = «3 → 4»\ndef fn(x): return (lambda y: y * RATE)(x)"),
    edit("global used in a class of a function", """
        RATE = «3 → 4»
        def fn(x):
            class C:
                rate = RATE
            return C.rate
    """),
    edit("global used in an f-string", "RATE = «3 → 4»\ndef fn(x): return f'{x:{RATE}d}'"),
    edit("global that is a default of a nested function", """
        RATE = «3 → 4»
        def fn(x):
            def g(y=RATE): return y
            return g()
    """),
    value("type of a number", "«1 → 1.0»"),
    value("truth for a number", "«1 → True»"),
    value("big integer", f"{10**30}«1 → 2»"),
    value("last bit of a float", "«0.3 → 0.30000000000000004»"),
    value("sign of a global zero", "«0.0 → -0.0»"),
    value("not a number", "float('«inf → nan»')"),
    value("None for a text", "«None → 'None'»"),
    value("text", "'«a prompt → A prompt»'"),
    value("text for global bytes", "«'a' → b'a'»"),
    value("bytes", "b'\\x00«\\x01 → \\x02»'"),
    value("list for a tuple", "«[1, 2] → (1, 2)»"),
    value("boundaries of texts", "«['ab', 'c'] → ['a', 'bc']»"),
    value("nesting of lists", "«[[1], 2] → [[1, 2]]»"),
    value("nested dict", "{'a': {'b': [1, {'c': «2 → 3»}]}}"),
    value("order of a nested dict", "{'a': {«'b': 1, 'c': 2 → 'c': 2, 'b': 1»}}"),
    edit("global dict's order", "T = {«'a': 1, 'b': 2 → 'b': 2, 'a': 1»}\ndef fn(x): return list(T)"),
    value("type of a key", "{«1 → '1'»: 'a'}"),
    value("truth for a key", "{«1 → True»: 'a'}"),
    value("set", "{1, 2, «3 → 4»}", shown="sorted(V)"),
    value("frozen set", "«{1, 2} → frozenset({1, 2})»"),
    value("bytearray", "«b'a' → bytearray(b'a')»"),
    value("range", "range(«3 → 4»)"),
    value("complex number", "1 + «2j → 3j»"),
    value("computed number", "2 ** «8 → 9»"),
    value("annotated global", "«1 → 2»", "V: int = 0"),
    edit("global assigned again", "V = 1\nV += «1 → 2»\ndef fn(x): return V"),
    edit("global of an unpacking", "V, W = 1, «2 → 3»\ndef fn(x): return W"),
    edit("global of a loop", "for V in range(«3 → 4»): ...\ndef fn(x): return V"),
    edit("global of a walrus", "print if (V := «3 → 4») else None\ndef fn(x): return V"),
    edit("global list that grew", "V = []\nV.append(«1 → 2»)\ndef fn(x): return V"),
    edit("global set by a function", "def load():\n    global V\n    V = «1 → 2»\nload()\ndef fn(x): return V"),
    edit("global of a file", """
        import json, pathlib
        V = json.loads(pathlib.Path(__file__).with_name('v.json').read_text())
        def fn(x): return V
        --- v.json
        [«1 → 2»]
    """),
    edit("global computed by a library", "import json\nV = json.loads('[«1 → 2»]')\ndef fn(x): return V"),
    edit("global that hides a builtin", "«other → len» = lambda x: 7\ndef fn(x): return len([x])"),
    edit("global that is missing", """
        «V → W» = 1
        def fn(x):
            try:
                return V
            except NameError:
                return 'none'
    """),
]  # fmt: skip

LIBRARY = [
    value("date", "datetime.date(2024, 1, «1 → 2»)", "import datetime"),
    value(
        "time with a zone",
        "datetime.datetime(2024, 1, 1, tzinfo=datetime.timezone(datetime.timedelta(hours=«1 → 2»)))",
        "import datetime",
    ),
    value("time span", "datetime.timedelta(days=«1 → 2»)", "import datetime"),
    value("decimal number", "Decimal('1.«0 → 00»')", "from decimal import Decimal"),
    value("fraction", "Fraction(1, «2 → 3»)", "from fractions import Fraction"),
    value("path", "Path('a') / '«b → c»'", "from pathlib import Path"),
    value("kind of path", "pathlib.Pure«Posix → Windows»Path('a')", "import pathlib"),
    value("pattern", "re.compile('«a → b»')", "import re"),
    value("flags of a pattern", "re.compile('a', re.«I → M»)", "import re"),
    value("identifier", "uuid.UUID(int=«1 → 2»)", "import uuid"),
    value("counter", "collections.Counter(a=«1 → 2»)", "import collections"),
    value("ordered dict", "collections.OrderedDict(a=«1 → 2»)", "import collections"),
    value("queue with two ends", "collections.deque([1, «2 → 3»])", "import collections"),
    value("length of a queue with two ends", "collections.deque([1, 2], maxlen=«2 → 3»)", "import collections"),
    value("namespace", "types.SimpleNamespace(a=«1 → 2»)", "import types"),
    value("read-only view", "types.MappingProxyType({'a': «1 → 2»})", "import types"),
    value("template", "string.Template('«a → b»')", "import string", "V.template"),
    value("getter", "operator.itemgetter(«0 → 1»)", "import operator", "V('ab')"),
    value("typed array", "array.array('«h → i»', [1])", "import array"),
    value("address", "ipaddress.ip_address('127.0.0.«1 → 2»')", "import ipaddress"),
    value("default dict", "collections.defaultdict(«int → list»)", "import collections", "V[0]"),
    value("dates in a list", "[datetime.date(2024, 1, «1 → 2»)]", "import datetime"),
    value("paths in a dict", "{'a': [Path('«a → b»')]}", "from pathlib import Path"),
    value("generic alias", "list[«int → str»]"),
    value("library class", "collections.«OrderedDict → Counter»", "import collections"),
    value("library classes in a tuple", "(int, «str → bytes»)"),
    value("errors to catch", "(ValueError, «KeyError → TypeError»)"),
]  # fmt: skip

ARRAYS = [
    value("element of an array", "np.array([1, «2 → 3»])", "import numpy as np"),
    value("type of an array", "np.zeros(2, dtype='«int8 → int16»')", "import numpy as np", "V.dtype"),
    value("byte order of an array", "np.zeros(2, dtype='«<i4 → >i4»')", "import numpy as np", "V.dtype"),
    value("shape of an array", "np.zeros(«(2, 3) → (3, 2)»)", "import numpy as np", "V.shape"),
    value("array without axes", "np.array(«1 → [1]»)", "import numpy as np"),
    value("number of numpy", "np.float64(«1.5 → 2.5»)", "import numpy as np"),
    value("type of a number of numpy", "np.float«32 → 64»(1.5)", "import numpy as np", "type(V)"),
    value("array in a dict", "{'a': [np.array([«1 → 2»])]}", "import numpy as np"),
    edit("array as a default", "import numpy as np\ndef fn(x, v=np.array([«1 → 2»])): return v"),
    value("cell of a table", "pd.DataFrame({'a': [1, «2 → 3»]})", "import pandas as pd"),
    value("column of a table", "pd.DataFrame({'«a → b»': [1, 2]})", "import pandas as pd"),
    value("index of a table", "pd.DataFrame({'a': [1, 2]}, index=[0, «1 → 2»])", "import pandas as pd"),
    value("order of columns", "pd.DataFrame({«'a': [1], 'b': [2] → 'b': [2], 'a': [1]»})", "import pandas as pd"),
    value(
        "type of a column",
        "pd.DataFrame({'a': pd.array([1], dtype='«int64 → int32»')})",
        "import pandas as pd",
        "V.dtypes",
    ),
    value("pixel of an image", "Image.new('RGB', (2, 2), (0, 0, «1 → 2»))", "from PIL import Image", "V.tobytes()"),
    value("size of an image", "Image.new('RGB', «(1, 4) → (4, 1)»)", "from PIL import Image", "V.size"),
    value("mode of an image", "Image.new('«L → P»', (1, 1))", "from PIL import Image", "V.mode"),
]  # fmt: skip

MUST_CHANGE = [*PLAIN, *LIBRARY, *ARRAYS]
