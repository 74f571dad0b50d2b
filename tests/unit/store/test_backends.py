"""Backends without a service: addresses, keys, messages, and what each wrapper does."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from fsspec.registry import _registry

from daggr.errors import ConfigError, SyncError
from daggr.store.backends.base import Caps, Item, Stat, checked_key
from daggr.store.backends.deadline import Deadline
from daggr.store.backends.faulty import Fault, Faulty
from daggr.store.backends.local import LocalBackend
from daggr.store.backends.memory import MemoryBackend
from daggr.store.backends.open import open_backend
from daggr.store.backends.outcome import each
from daggr.store.backends.retry import MOST_SECONDS, Retrying
from daggr.store.backends.trouble import redacted, sync_error
from daggr.store.backends.url import UrlBackend


class Portions(MemoryBackend):
    """Takes two keys a time, and notes what it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.puts: list[tuple[list[str], list[str]]] = []

    @property
    def caps(self) -> Caps:
        return Caps(max_batch=2)

    def put_many(self, items: Any, *, message: str = "", last: Any = ()) -> None:
        items, last = list(items), list(last)
        self.puts.append(([item.key for item in items], [item.key for item in last]))
        super().put_many(items, message=message, last=last)


class Stuck(MemoryBackend):
    """`get` hangs until `go`; a list gives three keys and hangs."""

    def __init__(self) -> None:
        super().__init__()
        self.go = threading.Event()

    def get(self, key: str, start: int | None = None, end: int | None = None) -> bytes | None:
        self.go.wait(20)
        return b""

    def list(self, prefix: str = "") -> Iterator[Stat]:
        yield Stat("a", 1)
        self.go.wait(20)

    def put_many(self, items: Any, *, message: str = "", last: Any = ()) -> None:
        super().put_many(items)
        self.go.wait(20)
        super().put_many(last)


# ---------------------------------------------------------------- addresses


def test_folders(tmp_path: Path) -> None:
    for place in (tmp_path / "a b", str(tmp_path / "a b"), (tmp_path / "a b").as_uri()):
        backend = open_backend(place)
        assert isinstance(backend, LocalBackend)
        assert backend.root == tmp_path / "a b"


def test_memory_urls_are_shared_by_name() -> None:
    one, same, other = (open_backend(f"memory://{name}") for name in ("shared-1", "shared-1", "shared-2"))
    one.put_many([Item("key", b"1")])
    assert same.get("key") == b"1"
    assert other.get("key") is None


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("", "empty"),
        ("hf://buckets/me/store", "not built yet"),
        ("https://example.com/x", "cannot be written"),
        ("s33://bucket/x", "Did you mean 's3'?"),
        ("quux://bucket/x", "Valid are"),
        ("s3://", "names no bucket"),
        ("simplecache::s3://bucket/x", "plain URL"),
        ("s3://bucket/*", "plain URL"),
    ],
)
def test_odd_addresses(place: str, words: str) -> None:
    with pytest.raises(ConfigError) as raised:
        open_backend(place)
    assert words in str(raised.value)


def test_a_folder_takes_no_options(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no options; given: endpoint_url"):
        open_backend(tmp_path, endpoint_url="x")


@pytest.mark.parametrize(
    ("url", "module", "install"),
    [
        ("s3://bucket/x", "s3fs", "pip install daggr[s3]"),
        ("gs://bucket/x", "gcsfs", "pip install gcsfs"),
        ("az://box/x", "adlfs", "pip install adlfs"),
        ("sftp://host/x", "paramiko", "pip install paramiko"),
    ],
)
def test_a_missing_driver(monkeypatch: pytest.MonkeyPatch, url: str, module: str, install: str) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.delitem(sys.modules, "fsspec.implementations.sftp", raising=False)
    monkeypatch.delitem(_registry, url.partition(":")[0], raising=False)
    with pytest.raises(ConfigError) as raised:
        open_backend(url)
    assert install in raised.value.hint


def test_the_contract_imports_no_driver() -> None:
    code = "import sys, daggr.store.backends.base, daggr.store.backends.local; print('fsspec' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\n"


# ---------------------------------------------------------------- keys and messages


def test_a_refused_key_is_shown_shortened() -> None:
    assert checked_key("a" * 200) == "a" * 200
    with pytest.raises(ConfigError, match=r"a… \(5002 characters\)"):
        checked_key("a" * 5000)
    with pytest.raises(ConfigError, match="Not a key: b'a'"):
        checked_key(b"a")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("sftp://me:pass@host/x", "sftp://host/x"),
        ("https://host/x?sig=abc&se=1 failed", "https://host/x failed"),
        ("Authorization: Bearer abc.def", "Authorization: Bearer ***"),
        ("secret_key=abcdef, region=eu", "secret_key=***, region=eu"),
        ("the token 'hf_abcdefghijkl'", "the token '***'"),
        ("AKIAIOSFODNN7EXAMPLE is unknown", "*** is unknown"),
        ("/tmp/key/token-file is not there", "/tmp/key/token-file is not there"),
    ],
)
def test_redacted(text: str, clean: str) -> None:
    assert redacted(text) == clean


@pytest.mark.parametrize(
    ("error", "retryable"),
    [
        (ConnectionResetError(104, "reset"), True),
        (TimeoutError(), True),
        (type("ReadTimeoutError", (type("HTTPClientError", (Exception,), {}),), {})("x"), True),
        (type("NoCredentialsError", (Exception,), {})("Unable to locate credentials"), False),
        (type("HttpResponseError", (Exception,), {"status_code": 503})("x"), True),
        (type("HttpError", (Exception,), {"code": 401})("x"), False),
        (PermissionError("Access Denied"), False),
        (ValueError("strange"), False),
    ],
)
def test_kinds_of_trouble(error: Exception, retryable: bool) -> None:
    made = sync_error(error, "read 'key' at s3://bucket")
    assert made.retryable is retryable
    assert made.message.startswith("Could not read 'key' at s3://bucket: ")


def test_driver_errors_are_never_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    backend = UrlBackend("memory://trouble", password="opensesame")

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("opensesame did not open")

    monkeypatch.setattr(backend._files, "cat_file", fail)
    with pytest.raises(SyncError, match=r"RuntimeError: \*\*\* did not open") as raised:
        backend.get("key")
    assert raised.value.__cause__ is None


# ---------------------------------------------------------------- trying again


def test_pauses_grow_and_end() -> None:
    pauses: list[float] = []
    plan: list[Fault] = ["before"] * 9
    backend = Retrying(Faulty(MemoryBackend(), plan=plan), 9, 1.0, sleep=pauses.append, random=lambda: 0.0)
    with pytest.raises(SyncError, match=r"\(tried 9 times\)") as raised:
        backend.get("key")
    assert raised.value.retryable
    assert pauses == [0.5, 1, 2, 4, 8, MOST_SECONDS / 2, MOST_SECONDS / 2, MOST_SECONDS / 2]


def test_what_is_permanent_is_not_tried_again(tmp_path: Path) -> None:
    inner = Faulty(MemoryBackend())
    with pytest.raises(SyncError):
        Retrying(inner, sleep=pytest.fail).put_many([Item("key", tmp_path / "absent")])
    assert inner.operations == 1


def test_puts_go_in_portions_and_last_alone() -> None:
    inner = Portions()
    faulty = Faulty(inner, plan=["", "after"])
    Retrying(faulty, sleep=lambda _: None).put_many((Item(key, b"") for key in "abcde"), last=[Item("z", b"")])
    assert inner.puts == [(["a", "b"], []), (["c", "d"], []), (["c", "d"], []), (["e"], []), ([], ["z"])]


def test_a_put_that_is_atomic_is_not_split() -> None:
    inner = Faulty(MemoryBackend())
    Retrying(inner).put_many([Item(f"{number}", b"") for number in range(3000)], last=[Item("last", b"")])
    assert inner.operations == 1


def test_a_list_goes_on_where_it_broke_off() -> None:
    inner = MemoryBackend()
    inner.put_many([Item(f"{number:02}", b"") for number in range(20)])
    faulty = Faulty(inner, plan=["middle"] * 5 + ["before", "after"])
    keys = [stat.key for stat in Retrying(faulty, attempts=9, sleep=lambda _: None).list()]
    assert keys == [f"{number:02}" for number in range(20)]
    assert faulty.faults == 7


def test_attempts_start_at_one() -> None:
    with pytest.raises(ConfigError):
        Retrying(MemoryBackend(), attempts=0)


# ---------------------------------------------------------------- faults


def test_faults_are_the_same_for_a_seed() -> None:
    def history(seed: int) -> list[bool]:
        backend = Faulty(MemoryBackend(), seed=seed, rate=0.5)
        found = []
        for _ in range(40):
            before = backend.faults
            with suppress(SyncError):
                backend.get("key")
            found.append(backend.faults > before)
        return found

    assert history(1) == history(1) != history(2)
    assert 8 < sum(history(1)) < 32


def test_after_means_it_was_done_and_middle_means_in_part() -> None:
    inner = Portions()
    items, last = [Item(key, b"") for key in "abcd"], [Item("last", b"")]
    with pytest.raises(SyncError, match="after"):
        Faulty(inner, plan=["after"]).put_many(items, last=last)
    assert len(list(inner.list())) == 5
    seen = set()
    for seed in range(30):
        inner = Portions()
        with pytest.raises(SyncError, match="middle"):
            Faulty(inner, seed=seed, plan=["middle"]).put_many(items, last=last)
        seen.add(len(list(inner.list())))
    assert seen == {0, 1, 2, 3, 4}


def test_latency() -> None:
    pauses: list[float] = []
    Faulty(MemoryBackend(), latency=3.0, sleep=pauses.append).get("key")
    assert pauses == [3.0]


# ---------------------------------------------------------------- deadlines


def test_a_late_operation_is_given_up() -> None:
    inner = Stuck()
    backend = Deadline(inner, seconds=0.2)
    start = time.monotonic()
    with pytest.raises(SyncError, match=r"get 'key' took more than 0\.2 s") as raised:
        backend.get("key")
    assert time.monotonic() - start < 0.24 + 0.2
    assert raised.value.retryable
    inner.go.set()


def test_a_list_has_its_deadline() -> None:
    inner = Stuck()
    with pytest.raises(SyncError, match=r"list 'a' took more than 0\.2 s"):
        list(Deadline(inner, seconds=0.2).list("a"))
    inner.go.set()


def test_the_time_of_who_reads_a_list_does_not_count() -> None:
    inner = MemoryBackend()
    inner.put_many([Item(f"{number:04}", b"") for number in range(2001)])
    seen = 0
    for _ in Deadline(inner, seconds=0.5).list():
        seen += 1
        if seen in (999, 1999):
            time.sleep(0.4)
    assert seen == 2001


def test_threads_that_hang_are_limited() -> None:
    inner = Stuck()
    backend = Deadline(inner, seconds=0.05, threads=3)
    before = threading.active_count()
    for _ in range(6):
        with pytest.raises(SyncError) as raised:
            backend.get("key")
    assert threading.active_count() <= before + 3
    assert "earlier operations" in raised.value.message
    inner.go.set()
    end = time.monotonic() + 10
    while threading.active_count() > before and time.monotonic() < end:
        time.sleep(0.01)
    assert backend.get("key") == b""


def test_a_put_that_was_given_up_does_not_begin_with_last() -> None:
    inner = Stuck()
    with pytest.raises(SyncError, match="put 'a' and what follows"):
        Deadline(inner, seconds=0.1).put_many([Item("a", b"1")], last=[Item("last", b"2")])
    inner.go.set()
    end = time.monotonic() + 10
    while any(thread.name.startswith("daggr-put") for thread in threading.enumerate()) and time.monotonic() < end:
        time.sleep(0.01)
    assert inner.stat("a") == Stat("a", 1)
    assert inner.stat("last") is None


def test_errors_come_through_a_deadline() -> None:
    with pytest.raises(ConfigError, match="Not a key"):
        Deadline(MemoryBackend(), seconds=5).get("../x")
    with pytest.raises(ConfigError, match="more than 0 seconds"):
        Deadline(MemoryBackend(), seconds=0)


# ---------------------------------------------------------------- work by several threads


def test_each_takes_as_it_goes_and_stops_at_the_first_failure() -> None:
    taken: list[int] = []
    done: list[int] = []

    def numbers() -> Iterator[int]:
        for number in range(1000):
            taken.append(number)
            yield number

    def work(number: int) -> None:
        if number == 20:
            raise ValueError("twenty")
        time.sleep(0.001)
        done.append(number)

    with pytest.raises(ValueError, match="twenty"):
        each(work, numbers(), workers=4)
    assert len(taken) < 40
    assert len(done) == len(taken) - 1
    each(work, range(100, 200), workers=4)
    assert set(range(100, 200)) <= set(done)
