"""What worker processes load in these tests."""

import ctypes
import os
import subprocess
import sys
import time

import numpy as np

from daggr import FnNode, Graph


def square(x):
    print("squaring", x)
    print("to stderr", file=sys.stderr)
    return x * x


def same(x):
    return x


def kind(x):
    return [type(x).__name__, open(x["path"]).read(), sys.argv, sys.path[0], __name__]


def begin(x):
    with open(x, "a") as file:
        file.write(f"{os.getpid()}\n")


def spin(x):
    begin(x)
    while True:
        pass


def sleep(x):
    begin(x)
    time.sleep(3600)


def program(x):
    begin(x)
    subprocess.run(["sleep", "3600"])


def left_program(x):
    begin(x)
    subprocess.Popen(["sleep", "3600"])
    while True:
        pass


def escaped_program(x):
    begin(x)
    subprocess.Popen(["sleep", "3600"], start_new_session=True)
    time.sleep(3600)


def forked(x):
    begin(x)
    if os.fork() == 0:
        print("not to be heard")
        time.sleep(3600)
    time.sleep(3600)


def stubborn(x):
    begin(x)
    while True:
        try:
            while True:
                time.sleep(0.01)
        except BaseException:  # noqa: BLE001
            pass


def hog(x):
    """Native code that lets no other thread run."""
    begin(x)
    ctypes.PyDLL(None).sleep(3600)


def leave(x):
    os._exit(3)


def crash(x):
    ctypes.string_at(0)


def kill(x):
    os.kill(os.getpid(), 9)


def raising(x):
    if x == "recursion":
        return raising(x)
    raise {"exit": SystemExit(7), "interrupt": KeyboardInterrupt(), "value": ValueError("bad"), "own": Own("own")}[x]


class Own(Exception):
    pass


def array(x):
    return np.full(x.shape, 7, x.dtype)


def binary(x):
    sys.stdout.buffer.write(b"\xff\x00\xff" * 1000)
    os.write(1, b"\xff\x00\xff" * 1000)
    os.write(2, b"\xff")
    return x


def opaque(x):
    return object()


def pid(x):
    return os.getpid()


FUNCTIONS = (
    *(square, same, kind, spin, sleep, program, left_program, escaped_program, forked, stubborn, hog, leave, crash),
    *(kill, raising, array, binary, opaque, pid),
)
graph = Graph("workers", nodes=[FnNode(function, inputs={"x": None}) for function in FUNCTIONS])

if __name__ == "__main__":
    graph.launch()
    raise AssertionError("a child launched it")
