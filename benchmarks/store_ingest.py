"""How fast does a large file come into the store, and how much memory does that take?

Beside it, in the same run: `cp` and a wait for the disk, on the same file system, with the source in the page cache.

python benchmarks/store_ingest.py [--full]
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from daggr.store.store import Store

RATIO = 0.8
"""Of cp's throughput, at least."""

MEMORY = 64
"""MB more than before, at most."""


def copy(source: Path, folder: Path) -> float:
    """Seconds of `cp` and of a wait until the disk has it."""
    target = folder / "copy"
    started = time.perf_counter()
    subprocess.run(["cp", "--reflink=never", str(source), str(target)], check=True)
    descriptor = os.open(target, os.O_RDWR)
    os.fsync(descriptor)
    os.close(descriptor)
    return time.perf_counter() - started


def ingest(source: Path, folder: Path) -> float:
    """Seconds of one ingest into a new store."""
    with Store(folder / "store") as store:
        started = time.perf_counter()
        store.put([store.artifacts.stage_file(source)])
        return time.perf_counter() - started


def fresh(work: Callable[[Path, Path], float], source: Path) -> float:
    """The same in a new folder, after the disk has had its peace."""
    os.sync()
    folder = Path(tempfile.mkdtemp(dir=source.parent))
    try:
        return work(source, folder)
    finally:
        shutil.rmtree(folder)


def memory(source: Path) -> float:
    """MB that an ingest takes on top of what an open store takes, in a process that does nothing else."""
    if sys.platform != "linux":
        return 0.0
    command = [sys.executable, __file__, "memory", str(source)]
    return float(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))


def measure_memory(source: Path) -> float:
    with Store(None) as warm:
        warm.put([warm.artifacts.stage(b"x" * 100_000)])
    folder = Path(tempfile.mkdtemp(dir=source.parent))
    try:
        before = peak()
        ingest(source, folder)
        return (peak() - before) / 1024
    finally:
        shutil.rmtree(folder)


def peak() -> int:
    """Kilobytes that were resident at most."""
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(lines["VmHWM"].split()[0])


def make(source: Path, size: int) -> None:
    with open(source, "wb") as file:
        for _ in range(size >> 20):
            file.write(os.urandom(1 << 20))
    os.utime(source, (time.time() - 10,) * 2)


def main() -> int:
    if sys.argv[1:2] == ["memory"]:
        print(json.dumps(measure_memory(Path(sys.argv[2]))))
        return 0
    size, rounds = (1 << 30, 7) if "--full" in sys.argv else (256 << 20, 5)
    works: dict[str, Callable[[Path, Path], float]] = {"daggr": ingest, "cp and fsync": copy}
    seen: dict[str, list[float]] = {name: [] for name in works}
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "source"
        make(source, size)
        for turn in range(rounds):
            for name in sorted(works, reverse=turn % 2 == 1):
                seen[name].append(fresh(works[name], source))
        more = memory(source)
    rates = {name: size / statistics.median(seconds) / 1e6 for name, seconds in seen.items()}
    ratio = rates["daggr"] / rates["cp and fsync"]
    for name, rate in rates.items():
        print(f"{name:<14} {rate:8,.0f} MB/s   {min(seen[name]):.2f} to {max(seen[name]):.2f} s")
    print(f"daggr is at {ratio:.2f} × the throughput of cp, and takes {more:.1f} MB more memory")
    return 0 if ratio >= RATIO and more < MEMORY else 1


if __name__ == "__main__":
    sys.exit(main())
