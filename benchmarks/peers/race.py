"""Runs what is compared: each contender in a process of its own, in turns, so that noise meets all alike.

Two packages are named daggr, so those from elsewhere have a virtual environment of their own, under `build`; it is made
when it is first needed.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent
REQUIREMENTS = HERE / "requirements.txt"
OURS, RELAXED, FLOOR, RELAXED_FLOOR = "daggr", "daggr, relaxed", "floor, durable", "floor, relaxed"


@dataclass(frozen=True)
class Contender:
    """A script that answers requests (`turns.py`), in this environment or in that of the peers."""

    script: str
    way: str = ""
    peer: bool = True


CONTENDERS = {
    OURS: Contender("ours.py", "full", peer=False),
    RELAXED: Contender("ours.py", "relaxed", peer=False),
    "daggr, graph.run()": Contender("ours.py", "run", peer=False),
    "daggr 0.8, keeps nothing": Contender("daggr_08.py", "memory"),
    "daggr 0.8, a sheet": Contender("daggr_08.py", "sheet"),
    "Hamilton, cached": Contender("with_hamilton.py"),
    "joblib.Memory": Contender("with_joblib.py"),
    "diskcache": Contender("with_diskcache.py"),
    FLOOR: Contender("floor.py", "full", peer=False),
    RELAXED_FLOOR: Contender("floor.py", "relaxed", peer=False),
    "plain Python": Contender("bare.py", peer=False),
}

Rows = Mapping[str, Mapping[str, Sequence[float]]]
"""By contender and figure, one number for each round."""


@cache
def peers_python() -> str:
    """The interpreter that has the peers."""
    wanted = hashlib.md5(REQUIREMENTS.read_bytes() + sys.version.encode()).hexdigest()[:12]
    folder = HERE.parents[1] / "build" / "venvs" / f"peers-{wanted}"
    python = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    if not (folder / "ready").exists():
        print(f"Installing the peers into {folder} …", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"]
        subprocess.run([*install, str(REQUIREMENTS)], check=True)
        (folder / "ready").touch()
    return str(python)


class Memory(NamedTuple):
    """Megabytes: all that is resident, and what of it is no part of a file, such as the store's index."""

    resident: float
    own: float


class Seat:
    """A contender that waits for its turn."""

    def __init__(self, contender: Contender, home: Path) -> None:
        self._name = f"{contender.script} {contender.way}".rstrip()
        self._errors = (home / f"{contender.script}-{contender.way}.log").open("w+", encoding="utf-8")
        python = peers_python() if contender.peer else sys.executable
        known = {name: value for name, value in os.environ.items() if name != "PYTHONPATH" or not contender.peer}
        offline = {"HF_HOME": str(home), "HF_HUB_OFFLINE": "1", "GRADIO_ANALYTICS_ENABLED": "False"}
        self._running = subprocess.Popen(
            [python, str(HERE / contender.script), contender.way],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            cwd=home,
            env={**known, **offline},
        )

    def ask(self, shape: str, size: int) -> dict[str, float]:
        """One round. What it says when it breaks down ends the benchmark."""
        assert self._running.stdin is not None
        assert self._running.stdout is not None
        try:
            self._running.stdin.write(json.dumps([shape, size]) + "\n")
            self._running.stdin.flush()
            answer = self._running.stdout.readline()
        except BrokenPipeError:
            answer = ""
        if not answer:
            self._running.wait()
            self._errors.seek(0)
            sys.exit(f"{self._name} broke down:\n{self._errors.read()[-2000:]}")
        return json.loads(answer)  # type: ignore[no-any-return]

    def memory(self) -> Memory:
        """What it has now."""
        pid = self._running.pid
        try:
            lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        except FileNotFoundError:  # macOS
            shown = subprocess.run(["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, text=True, check=True)
            return Memory(int(shown.stdout) / 1e3, math.nan)
        found = dict(line.split(":", 1) for line in lines)
        return Memory(*(int(found[name].split()[0]) / 1e3 for name in ("VmRSS", "RssAnon")))

    @contextmanager
    def watched(self, every: float = 0.02) -> Iterator[list[Memory]]:
        """What it has from time to time, the first before the block."""
        seen, over = [self.memory()], threading.Event()

        def watch() -> None:
            while not over.wait(every):
                seen.append(self.memory())

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            yield seen
        finally:
            over.set()
            watcher.join()

    def leave(self) -> None:
        """End it."""
        assert self._running.stdin is not None
        self._running.stdin.close()
        self._running.wait()
        self._running.stdout.close()  # type: ignore[union-attr]
        self._errors.close()


@contextmanager
def seats(names: Sequence[str], contenders: Mapping[str, Contender] = CONTENDERS) -> Iterator[dict[str, Seat]]:
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
        made = {}
        for name in names:
            made[name] = Seat(contenders[name], home)
            stack.callback(made[name].leave)
        yield made


def race(
    shape: str,
    size: int,
    rounds: int,
    names: Sequence[str],
    limits: Mapping[str, int] | None = None,
    contenders: Mapping[str, Contender] = CONTENDERS,
) -> Rows:
    """Rounds in which everybody has a turn. Seconds for each node. One small round before it counts for nothing."""
    rows: dict[str, dict[str, list[float]]] = {name: {} for name in names}
    with seats(names, contenders) as made:
        for seat in made.values():
            seat.ask(shape, 10)
        for _ in range(rounds):
            for name, seat in made.items():
                asked = min(size, (limits or {}).get(name, size))
                for figure, took in seat.ask(shape, asked).items():
                    whole = figure == "item"  # a time to wait, not one a node
                    rows[name].setdefault(figure, []).append(took if whole else took / asked)
    return rows


def middle(rows: Rows, name: str, figure: str) -> float:
    return statistics.median(rows[name][figure])


def added(rows: Rows, name: str, floor: str, figure: str) -> float:
    """What somebody takes beyond what a floor takes in the same round."""
    pairs = zip(rows[name][figure], rows[floor][figure], strict=True)
    return statistics.median(one - other for one, other in pairs)


def show(rows: Rows, columns: Mapping[str, str], unit: str = "µs", scale: float = 1e6) -> None:
    """A table: for each figure the median, the spread (least and most), and how many times that of daggr."""
    print(f"{unit:<26}" + "".join(f"{title:>44}" for title in columns.values()))
    for name, figures in rows.items():
        cells = []
        for figure in columns:
            if figure not in figures:
                cells.append(f"{'–':>44}")
                continue
            value, seen = middle(rows, name, figure), figures[figure]
            spread = f"({min(seen) * scale:,.1f} … {max(seen) * scale:,.1f})"
            cells.append(f"{value * scale:11,.1f} {spread:>23} {value / middle(rows, OURS, figure):7.2f} ×")
        print(f"{name:<26}" + "".join(cells))


def judge(*checks: tuple[str, float, float, str]) -> int:
    """Say of each figure whether it is within its budget (what, figure, budget, unit). The exit code."""
    missed = 0
    for what, figure, budget, unit in checks:
        missed |= figure > budget
        print(f"{what}: {figure:,.1f} {unit}; it may be {budget:,.0f} {unit}{'' if figure <= budget else '  MISSED'}")
    return int(missed)
