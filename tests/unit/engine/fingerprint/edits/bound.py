"""Globals of types without codec: keyed by their class and the one statement that binds them."""

from __future__ import annotations

from tests.unit.engine.fingerprint.edits.edit import edit, rewrite

MUST_CHANGE = [
    edit("lock", """
        import threading
        LOCK = threading.«Lock → RLock»()
        def fn(x):
            with LOCK:
                return type(LOCK).__name__
    """),
    edit("limit of a semaphore", """
        import threading
        GATE = threading.Semaphore(«1 → 2»)
        def fn(x):
            with GATE:
                return GATE._value
    """),
    edit("event", """
        import threading
        EVENT = threading.«Event → Condition»()
        def fn(x): return type(EVENT).__name__
    """),
    edit("address of a client", """
        import http.client
        CLIENT = http.client.HTTPConnection('«a → b»')
        def fn(x): return CLIENT.host
    """),
    edit("pool", """
        import concurrent.futures as cf
        POOL = cf.ThreadPoolExecutor(max_workers=«1 → 2»)
        def fn(x): return POOL._max_workers
    """),
    edit("seed of a generator of numbers", """
        import random
        RNG = random.Random(«1 → 2»)
        def fn(x): return RNG.random()
    """),
    edit("logger", """
        import logging
        LOG = logging.getLogger('«a → b»')
        def fn(x): return LOG.name
    """),
    edit("context variable", """
        import contextvars
        LEVEL = contextvars.ContextVar('level', default=«1 → 2»)
        def fn(x): return LEVEL.get()
    """),
    edit("parser", """
        import argparse
        PARSER = argparse.ArgumentParser(prog='«a → b»')
        def fn(x): return PARSER.prog
    """),
    edit("client with an annotation", """
        import http.client
        from typing import Any
        CLIENT: Any = http.client.HTTPConnection('«a → b»')
        def fn(x): return CLIENT.host
    """),
    edit("client of an own module", """
        from other import CLIENT
        def fn(x): return CLIENT.host
        --- other.py
        import http.client
        CLIENT = http.client.HTTPConnection('«a → b»')
    """),
    edit("client by attribute", """
        import other
        def fn(x): return other.CLIENT.host
        --- other.py
        import http.client
        CLIENT = http.client.HTTPConnection('«a → b»')
    """),
    edit("client that a package shows", """
        from lib import CLIENT
        def fn(x): return CLIENT.host
        --- lib/__init__.py
        from .inner import CLIENT
        --- lib/inner.py
        import http.client
        CLIENT = http.client.HTTPConnection('«a → b»')
    """),
    edit("client that a helper uses", """
        import http.client
        CLIENT = http.client.HTTPConnection('«a → b»')
        def h(x): return CLIENT.host
        def fn(x): return h(x)
    """),
    edit("what a function does with a client", """
        import http.client
        CLIENT = http.client.HTTPConnection('a')
        def fn(x): return CLIENT.«host → port»
    """),
]  # fmt: skip

MUST_CHANGE_OR_BE_REFUSED = [
    edit("global in a client's statement", """
        import http.client
        HOST = '«a → b»'
        CLIENT = http.client.HTTPConnection(HOST)
        def fn(x): return CLIENT.host
    """),
    edit("global of an own module in a client's statement", """
        import http.client, other
        CLIENT = http.client.HTTPConnection(other.HOST)
        def fn(x): return CLIENT.host
        --- other.py
        HOST = '«a → b»'
    """),
    edit("own function that makes a client", """
        import http.client
        def make(): return http.client.HTTPConnection('«a → b»')
        CLIENT = make()
        def fn(x): return CLIENT.host
    """),
    edit("class attribute in a client's statement", """
        import http.client
        class Settings:
            host = '«a → b»'
        CLIENT = http.client.HTTPConnection(Settings.host)
        def fn(x): return CLIENT.host
    """),
    edit("name in a client's statement that means another", """
        import http.client
        from http.client import HTTP« → S»Connection as Connect
        CLIENT = Connect('a')
        def fn(x): return CLIENT.default_port
    """),
    edit("client that is changed by a later statement", """
        import http.client
        CLIENT = http.client.HTTPConnection('a')
        CLIENT.host = '«b → c»'
        def fn(x): return CLIENT.host
    """),
    edit("queue that is filled by a later statement", """
        import queue
        QUEUE = queue.Queue()
        QUEUE.put(«1 → 2»)
        def fn(x): return QUEUE.queue[0]
    """),
    edit("statement in one of two branches", """
        import http.client
        if «True → False»:
            CLIENT = http.client.HTTPConnection('a')
        else:
            CLIENT = http.client.HTTPConnection('b')
        def fn(x): return CLIENT.host
    """),
    edit("statement in a with", """
        import contextlib, http.client
        with contextlib.nullcontext('«a → b»') as host:
            CLIENT = http.client.HTTPConnection(host)
        def fn(x): return CLIENT.host
    """),
    edit("statement in a loop", """
        import http.client
        for host in ('a', '«b → c»'):
            CLIENT = http.client.HTTPConnection(host)
        def fn(x): return CLIENT.host
    """),
    edit("client set by a function", """
        import http.client
        CLIENT = None
        def connect(host):
            global CLIENT
            CLIENT = http.client.HTTPConnection(host)
        connect('«a → b»')
        def fn(x): return CLIENT.host
    """),
    edit("client set from outside", """
        import http.client, other
        other.CLIENT = http.client.HTTPConnection('«a → b»')
        def fn(x): return other.CLIENT.host
        --- other.py
        CLIENT = None
    """),
    edit("client in a list", """
        import http.client
        CLIENTS = [http.client.HTTPConnection('«a → b»')]
        def fn(x): return CLIENTS[0].host
    """),
    edit("client in an object of one's own", """
        import http.client
        class C:
            def __init__(self, host): self.client = http.client.HTTPConnection(host)
        M = C('«a → b»')
        def fn(x): return M.client.host
    """),
    edit("client in a class", """
        import http.client
        class C:
            client = http.client.HTTPConnection('«a → b»')
        def fn(x): return C.client.host
    """),
    edit("client in a closure", """
        import http.client
        def make(host):
            client = http.client.HTTPConnection(host)
            return lambda x: client.host
        fn = make('«a → b»')
    """),
    edit("client as a default", """
        import http.client
        def fn(x, client=http.client.HTTPConnection('«a → b»')): return client.host
    """),
    edit("method of a client", """
        import http.client
        ask = http.client.HTTPConnection('«a → b»').set_debuglevel
        def fn(x): return ask.__self__.host
    """),
    edit("day computed from a global", """
        import datetime
        MONTH = «1 → 2»
        DAY = datetime.date(2024, MONTH, 1)
        def fn(x): return DAY
    """),
    edit("generator of numbers that was drawn from", """
        import random
        RNG = random.Random(1)
        « → RNG.random()»
        def fn(x): return RNG.random()
    """),
]  # fmt: skip

CLIENT = """
import http.client
CLIENT = http.client.HTTPConnection('a')
def fn(x): return CLIENT.host
"""

MUST_NOT_CHANGE = [
    rewrite("beside a client", CLIENT, f"import json\nA = 1\ndef g(): ...\n{CLIENT}"),
    rewrite("form of a client's statement", CLIENT, CLIENT.replace("('a')", '(\n    "a",  # why\n)')),
    rewrite("client moved down", CLIENT, CLIENT.replace("CLIENT =", "\n\n# the client\n\n\nCLIENT =")),
    edit("unrelated lock", """
        import threading
        LOCK = threading.«Lock → RLock»()
        def fn(x): return x
    """),
    edit("unrelated lock beside a lock", """
        import threading
        LOCK = threading.Lock()
        OTHER = threading.«Lock → RLock»()
        def fn(x):
            with LOCK:
                return x
    """),
    edit("lock moved to an own module", """
        «import threading → from other import LOCK»
        «LOCK = threading.Lock() → »
        def fn(x):
            with LOCK:
                return x
        --- other.py
        import threading
        LOCK = threading.Lock()
    """),
]  # fmt: skip
