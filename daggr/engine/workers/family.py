"""A worker process and all that it started: begun in a group of its own, and ended together."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

_PROC = Path("/proc")
_IS_WINDOWS = sys.platform == "win32"


def start(module: str, fds: Sequence[int]) -> subprocess.Popen[bytes]:
    """Start a Python module in a process of its own group, with these ends of pipes. Its arguments name them.

    It has no standard input, which would be read by several then; what it prints goes where this process's does.
    """
    command = [sys.executable, *subprocess._args_from_interpreter_flags(), "-m", module]  # type: ignore[attr-defined]
    if sys.platform == "win32":
        import msvcrt

        handles = [msvcrt.get_osfhandle(fd) for fd in fds]
        for handle in handles:
            os.set_handle_inheritable(handle, True)
        return subprocess.Popen(
            [*command, *map(str, handles)],
            stdin=subprocess.DEVNULL,
            close_fds=True,
            startupinfo=subprocess.STARTUPINFO(lpAttributeList={"handle_list": handles}),
            creationflags=subprocess.CREATE_NEW_PROCESS_GROUP,
        )
    return subprocess.Popen([*command, *map(str, fds)], stdin=subprocess.DEVNULL, pass_fds=fds, start_new_session=True)


def inherited(arguments: Sequence[str]) -> list[int]:
    """In the process that was started: the ends of pipes that its arguments name."""
    if sys.platform == "win32":
        import msvcrt

        modes = (os.O_RDONLY, os.O_WRONLY, os.O_RDONLY)
        return [
            msvcrt.open_osfhandle(int(given), mode | os.O_BINARY) for given, mode in zip(arguments, modes, strict=True)
        ]
    fds = [int(given) for given in arguments]
    for fd in fds:
        os.set_inheritable(fd, False)  # what the user's code starts must not keep them open
    return fds


def end(leader: int) -> None:
    """Kill a process, its group, and (where that can be seen) what it started in other groups."""
    if _IS_WINDOWS:
        subprocess.run(["taskkill", "/T", "/F", "/PID", str(leader)], capture_output=True, check=False)
        return
    escaped = [pid for pid in _descendants(leader) if _group(pid) != leader]
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)
    for pid in escaped:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)


def end_own() -> None:
    """End this process with all that it started."""
    end(os.getpid())
    os._exit(1)


def may_have_left_something(leader: int) -> bool:
    """Whether something that a process started may still run; True where that cannot be told."""
    if not _PROC.joinpath("self").exists():
        return True
    return bool(_descendants(leader)) or any(pid != leader and _group(pid) == leader for pid in _pids())


def end_with(lifeline: int, parent: int) -> None:
    """End this process and all that it started as soon as nobody holds the other end of a pipe, or the parent is gone.

    On Linux the kernel does it, so that code which lets no other thread run cannot delay it; a thread looks, too.
    """
    if sys.platform == "linux":
        import fcntl

        fcntl.fcntl(lifeline, fcntl.F_SETOWN, -os.getpgrp())
        fcntl.fcntl(lifeline, fcntl.F_SETSIG, signal.SIGKILL)
        fcntl.fcntl(lifeline, fcntl.F_SETFL, fcntl.fcntl(lifeline, fcntl.F_GETFL) | os.O_ASYNC)

    def watch() -> None:
        with contextlib.suppress(OSError):
            os.read(lifeline, 1)
        end_own()

    def look() -> None:
        while os.getppid() == parent:
            threading.Event().wait(0.5)
        end_own()

    for target in (watch, look) if not _IS_WINDOWS else (watch,):
        threading.Thread(target=target, daemon=True, name=f"daggr-{target.__name__}").start()


def how_it_ended(code: int | None) -> str:
    """How a process ended, in words."""
    if code is None:
        return "it cannot be reached any more"
    if code >= 0:
        return f"it ended itself with the exit code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = "unknown"
    why = {"SIGKILL": " (somebody killed it, or the memory was used up)", "SIGSEGV": " (a crash in native code)"}
    return f"it was killed by signal {-code}, {name}{why.get(name, '')}"


def _pids() -> list[int]:
    return [int(entry.name) for entry in _PROC.iterdir() if entry.name.isdigit()]


def _stat(pid: int) -> list[str]:
    """The fields of a process from its state on; none if it is gone, or a zombie."""
    try:
        fields = _PROC.joinpath(str(pid), "stat").read_text("utf-8", "replace").rpartition(")")[2].split()
    except OSError:
        return []
    return [] if fields[:1] == ["Z"] else fields


def _group(pid: int) -> int:
    fields = _stat(pid)
    return int(fields[2]) if fields else 0


def _descendants(leader: int) -> list[int]:
    """All that a process started, directly or not, as far as their parents live; none where it cannot be seen."""
    if not _PROC.joinpath("self").exists():
        return []
    children: dict[int, list[int]] = {}
    for pid in _pids():
        if fields := _stat(pid):
            children.setdefault(int(fields[1]), []).append(pid)
    found: list[int] = []
    waiting = [leader]
    while waiting:
        below = children.get(waiting.pop(), [])
        found += below
        waiting += below
    return found
