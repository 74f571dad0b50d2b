"""The tests of store backends, for anybody who writes one. Needs pytest and hypothesis.

from daggr.testing import BackendSuite

class TestMine(BackendSuite):
def make_backend(self, folder):
return MyBackend(folder)
"""

# ruff: noqa: D102  (the name of a test is its sentence)

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from daggr.errors import ConfigError, SyncError
from daggr.store.backends.base import Backend, Item, Stat
from daggr.store.backends.faulty import Fault, Faulty
from daggr.store.backends.outcome import Outcome

MIB = 1 << 20

ODD_KEYS = (
    *("", "/", "/a", "a/", "a//b", ".", "..", "../a", "a/../b", "a/./b", ".a", "a.", "a/.b", "A", "é", "a b", "a\\b"),
    *("a\n", "a\0", "a:b", "a?b", "a*b", "~", "nul", "a/con.txt", "x" * 201),
)

KEYS = ("a", "a-b", "a.b", "b/c", "b/c.d", "b/d", "b-c/d", "0", "_x/y/z")
"""Keys whose order differs between texts and folders; none is a folder of another."""


class BackendSuite:
    """Every sentence of the contract in `daggr.store.backends.base`, as a test. Subclass it and give `make_backend`.

    Attributes:
        large: Bytes of the large value.
        threads: How many threads work at the same time.
        rounds: How many times each of them does.
        most_keys: The most keys that the test of many keys puts; more than `Caps.max_batch` if it can.
        examples: How many random histories are compared with a dictionary.
        steps: How long these are.
    """

    large = 12 * MIB
    threads = 8
    rounds = 5
    most_keys = 1100
    examples = 8
    steps = 12

    def make_backend(self, folder: Path) -> Backend:
        """An empty backend. `folder` is empty, and the test's own."""
        raise NotImplementedError

    @pytest.fixture
    def backend(self, tmp_path: Path) -> Iterator[Backend]:
        """One for each test, closed at its end."""
        folder = tmp_path / "backend"
        folder.mkdir()
        backend = self.make_backend(folder)
        yield backend
        backend.close()

    # ------------------------------------------------------------ one value

    def test_what_was_put_is_there(self, backend: Backend, tmp_path: Path) -> None:
        values = {"idx/empty": b"", "idx/small": b"\x00\xff one\r\n", "blobs/ab/0a1b": bytes(range(256))}
        backend.put_many([Item(key, value) for key, value in values.items()])
        for key, value in values.items():
            assert backend.get(key) == value
            assert backend.stat(key) == Stat(key, len(value))
            assert backend.fetch(key, tmp_path / "fetched") is True
            assert (tmp_path / "fetched").read_bytes() == value

    def test_an_absent_key_is_none(self, backend: Backend, tmp_path: Path) -> None:
        backend.put_many([Item("folder/key", b"1")])
        for key in ("absent", "absent/too", "folder", "folder/ke", "folder/key2"):
            assert backend.get(key) is None
            assert backend.get(key, 0, 1) is None
            assert backend.get(key, 5) is None
            assert backend.get(key, 2, 2) is None
            assert backend.stat(key) is None
            assert backend.fetch(key, tmp_path / "fetched") is False
        assert list(tmp_path.glob("*fetched*")) == []

    def test_putting_again_replaces(self, backend: Backend) -> None:
        for value in (b"a long first value", b"short", b"", b"back"):
            backend.put_many([Item("key", value)])
            assert backend.get("key") == value
            assert backend.stat("key") == Stat("key", len(value))
            assert list(backend.list()) == [Stat("key", len(value))]

    def test_ranges(self, backend: Backend) -> None:
        value = bytes(range(100))
        backend.put_many([Item("key", value), Item("empty", b"")])
        for start in (None, 0, 1, 50, 99, 100, 200):
            for end in (None, 0, 1, 50, 100, 101, 1000):
                assert backend.get("key", start, end) == value[start:end], (start, end)
        assert backend.get("empty", 0, 10) == b""
        assert backend.get("empty", 3) == b""

    def test_odd_ranges_are_refused(self, backend: Backend) -> None:
        odd: list[tuple[Any, Any]] = [(-1, None), (None, -1), (0.5, None), (True, None)]
        for start, end in odd:
            with pytest.raises(ConfigError, match="range"):
                backend.get("key", start, end)

    def test_files_and_large_values(self, backend: Backend, tmp_path: Path) -> None:
        block = bytes(range(251)) * 997
        value = (block * (self.large // len(block) + 1))[: self.large]
        (tmp_path / "large").write_bytes(value)
        (tmp_path / "small").write_bytes(b"small")
        (tmp_path / "empty").touch()
        names = ("large", "small", "empty")
        backend.put_many([Item(name, tmp_path / name) for name in names] + [Item("bytes", value)])
        assert [backend.stat(name) for name in names] == [Stat("large", self.large), Stat("small", 5), Stat("empty", 0)]
        assert backend.get("small") == b"small"
        assert backend.get("large", 9 * MIB - 1, 9 * MIB + 5) == value[9 * MIB - 1 : 9 * MIB + 5]
        assert backend.fetch("large", tmp_path / "fetched")
        assert (tmp_path / "fetched").read_bytes() == value
        assert backend.get("bytes") == value

    def test_fetch_replaces_a_file_and_leaves_nothing_beside_it(self, backend: Backend, tmp_path: Path) -> None:
        (folder := tmp_path / "landing").mkdir()
        (folder / "file").write_bytes(b"old and longer")
        assert not backend.fetch("key", folder / "file")
        assert (folder / "file").read_bytes() == b"old and longer"
        backend.put_many([Item("key", b"new")])
        assert backend.fetch("key", folder / "file")
        assert (folder / "file").read_bytes() == b"new"
        assert [path.name for path in folder.iterdir()] == ["file"]

    # ------------------------------------------------------------ wrong calls

    def test_odd_keys_are_refused(self, backend: Backend, tmp_path: Path) -> None:
        calls: list[Callable[[str], object]] = [
            backend.get,
            backend.stat,
            lambda key: backend.fetch(key, tmp_path / "fetched"),
            lambda key: backend.put_many([Item(key, b"")]),
            lambda key: backend.put_many([], last=[Item(key, b"")]),
            lambda key: backend.delete_many([key]),
        ]
        for key in ODD_KEYS:
            for call in calls:
                with pytest.raises(ConfigError, match="Not a key"):
                    call(key)

    def test_odd_prefixes_are_refused(self, backend: Backend) -> None:
        for prefix in ("/", "../", "A", "a//", ".tmp/", "a b"):
            with pytest.raises(ConfigError, match="No key starts with"):
                list(backend.list(prefix))

    def test_trouble_is_a_sync_error(self, backend: Backend, tmp_path: Path) -> None:
        with pytest.raises(SyncError) as raised:
            backend.put_many([Item("key", tmp_path / "no-such-file")], last=[Item("last", b"")])
        assert not raised.value.retryable
        assert "no-such-file" in str(raised.value)
        assert list(backend.list()) == []
        backend.put_many([Item("key", b"value")])
        with pytest.raises(SyncError):
            backend.fetch("key", tmp_path / "no-such-folder" / "file")

    # ------------------------------------------------------------ many values

    def test_lists_are_sorted_and_by_text(self, backend: Backend) -> None:
        assert list(backend.list()) == []
        assert list(backend.list("idx/")) == []
        backend.put_many([Item(key, key.encode()) for key in KEYS])
        for prefix in ("", "a", "a-", "a.b", "b", "b/", "b/c", "b/c.", "b-", "_x/y/z", "_x/y", "z", "a/", "0/"):
            expected = [Stat(key, len(key)) for key in sorted(KEYS) if key.startswith(prefix)]
            assert list(backend.list(prefix)) == expected, prefix

    def test_many_keys(self, backend: Backend) -> None:
        keys = [f"many/{number:05}" for number in range(min(self.most_keys, backend.caps.max_batch * 2 + 1))]
        backend.put_many(Item(key, b"x") for key in keys)
        backend.put_many([Item("other", b"")])
        assert [stat.key for stat in backend.list("many/")] == keys
        backend.delete_many(key for key in keys[1:])
        assert [stat.key for stat in backend.list()] == ["many/00000", "other"]

    def test_deleting(self, backend: Backend) -> None:
        backend.put_many([Item("a", b"1"), Item("b/c", b"2"), Item("b/d", b"3")])
        backend.delete_many(["a", "absent", "absent/too", "b/c"])
        assert list(backend.list()) == [Stat("b/d", 1)]
        assert backend.get("a") is None
        backend.delete_many(["a"])
        backend.delete_many([])
        backend.put_many([Item("a", b"again")])
        assert backend.get("a") == b"again"

    def test_nothing_is_no_error(self, backend: Backend) -> None:
        backend.put_many([], message="nothing")
        backend.put_many([], last=[Item("last", b"1")])
        assert backend.get("last") == b"1"

    def test_close_twice(self, backend: Backend) -> None:
        backend.close()
        backend.close()

    # ------------------------------------------------------------ `last`

    def test_last_is_put_when_all_items_are(self, backend: Backend) -> None:
        seen: list[list[str]] = []

        def last() -> Iterator[Item]:
            seen.append([stat.key for stat in backend.list()])
            yield Item("last", b"1")

        backend.put_many([Item("a", b""), Item("b", b"")], last=last(), message="with a last one")
        assert [stat.key for stat in backend.list()] == ["a", "b", "last"]
        assert seen == [[] if backend.caps.commit_atomic else ["a", "b"]]

    def test_a_failed_item_keeps_last_away(self, backend: Backend, tmp_path: Path) -> None:
        backend.put_many([Item("last", b"old")])
        items = [Item("a", b""), Item("b", tmp_path / "no-such-file"), Item("c", b"")]
        with pytest.raises(SyncError):
            backend.put_many(items, last=[Item("last", b"new")])
        assert backend.get("last") == b"old"
        backend.put_many([Item("a", b""), Item("c", b"")], last=[Item("last", b"new")])
        assert backend.get("last") == b"new"

    @pytest.mark.parametrize("fault", ["before", "middle", "after"])
    def test_no_fault_shows_last_without_its_items(self, backend: Backend, fault: Fault) -> None:
        for seed in range(4):
            items = [Item(f"{seed}/{number}", b"x") for number in range(3)]
            last = Item(f"{seed}/last", b"x")
            with pytest.raises(SyncError):
                Faulty(backend, seed=seed, plan=[fault]).put_many(items, last=[last])
            there = {stat.key for stat in backend.list(f"{seed}/")}
            assert last.key not in there or there == {item.key for item in (*items, last)}
            backend.put_many(items, last=[last])
            assert len(list(backend.list(f"{seed}/"))) == 4

    # ------------------------------------------------------------ many threads

    def test_threads_with_keys_of_their_own(self, backend: Backend) -> None:
        def work(number: int) -> None:
            for turn in range(self.rounds):
                key = f"own/{number}/{turn}"
                backend.put_many([Item(key, key.encode()), Item(f"{key}-b", b"")])
                assert backend.get(key) == key.encode()
                backend.delete_many([f"{key}-b"])

        together(work, self.threads)
        assert len(list(backend.list("own/"))) == self.threads * self.rounds

    def test_readers_never_see_a_part(self, backend: Backend, tmp_path: Path) -> None:
        if not backend.caps.atomic_put:
            pytest.skip("it says that readers may see a part")
        values = {bytes([number]) * (10_000 + number) for number in range(self.threads)}
        backend.put_many([Item("same", min(values))])

        def work(number: int) -> None:
            mine, target = bytes([number]) * (10_000 + number), tmp_path / f"fetched-{number}"
            for turn in range(self.rounds):
                if number % 2:
                    backend.put_many([Item("same", mine)])
                assert backend.get("same") in values
                if turn % 2:
                    assert backend.fetch("same", target)
                    assert target.read_bytes() in values
                assert [stat.key for stat in backend.list("same")] == ["same"]

        together(work, self.threads)

    # ------------------------------------------------------------ any history

    def test_any_history(self, backend: Backend) -> None:
        machine = lambda: Histories(backend)  # noqa: E731  (what hypothesis takes is called without arguments)
        checks = settings(
            max_examples=self.examples,
            stateful_step_count=self.steps,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        )
        run_state_machine_as_test(machine, settings=checks)  # type: ignore[arg-type]


class Histories(RuleBasedStateMachine):
    """Puts, deletions and looks in any order: a backend does what a dictionary does."""

    keys = st.sampled_from(KEYS)
    values = st.binary(max_size=20)

    def __init__(self, backend: Backend) -> None:
        super().__init__()
        self.backend = backend
        self.model: dict[str, bytes] = {}
        backend.delete_many(KEYS)

    @rule(items=st.dictionaries(keys, values, max_size=4), last=st.dictionaries(keys, values, max_size=1))
    def put(self, items: dict[str, bytes], last: dict[str, bytes]) -> None:
        """Some values."""
        items = {key: value for key, value in items.items() if key not in last}
        self.backend.put_many(
            [Item(key, value) for key, value in items.items()], last=[Item(key, value) for key, value in last.items()]
        )
        self.model |= items | last

    @rule(gone=st.sets(keys, max_size=3))
    def delete(self, gone: set[str]) -> None:
        """Some keys, there or not."""
        self.backend.delete_many(gone)
        for key in gone:
            self.model.pop(key, None)

    @rule(key=keys, start=st.integers(0, 25), size=st.none() | st.integers(0, 25))
    def get(self, key: str, start: int, size: int | None) -> None:
        """A range of a value."""
        end = None if size is None else start + size
        expected = self.model[key][start:end] if key in self.model else None
        assert self.backend.get(key, start, end) == expected

    @rule(prefix=st.sampled_from(["", "a", "b", "b/", "_x/"]))
    def look(self, prefix: str) -> None:
        """The keys with a prefix."""
        expected = [Stat(key, len(self.model[key])) for key in sorted(self.model) if key.startswith(prefix)]
        assert list(self.backend.list(prefix)) == expected

    @invariant()
    def has_what_it_should(self) -> None:
        """One key after each step, so that slow backends stay quick."""
        assert self.backend.get("a") == self.model.get("a")


def together(work: Callable[[int], None], threads: int) -> None:
    """Run `work(number)` in so many threads, all starting at once; the first failure is raised."""
    start = threading.Barrier(threads)

    def run(number: int) -> None:
        start.wait()
        work(number)

    crew = [Outcome(f"together-{number}", partial(run, number)) for number in range(threads)]
    for thread in crew:
        thread.wait()
    for thread in crew:
        thread.result()
