"""Opening and closing a store: what is swept, what is refused, and what stays."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import lmdb
import msgspec
import pytest

from daggr.errors import StoreAccessError, StoreError, StoreVersionError
from daggr.store import sheets
from daggr.store.layout import FORMAT
from daggr.store.store import Store
from daggr.store.tables import SHEETS
from tests.unit.store.rooms import has, keep, staged_files

LARGE = "x" * 50_000


HOLDER = """
import sys, time
from pathlib import Path
from daggr.store.store import Store
store = Store(Path(sys.argv[1]))
folder = store.attendance.path()
(folder / "deep").mkdir(parents=True)
(folder / "deep" / "file").write_bytes(b"x")
store.blobs.stage([b"half a blob"])
print("ready", flush=True)
time.sleep(600)
"""


@contextmanager
def holder(root: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that has the store open and works on something."""
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(root)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
        process.kill()


def test_what_a_living_process_works_on_stays_and_what_a_dead_one_left_is_swept(tmp_path: Path) -> None:
    with holder(tmp_path) as process:
        with Store(tmp_path) as store:
            assert len(staged_files(store)) == 2
        process.kill()
        process.wait()
        with Store(tmp_path) as store:
            assert staged_files(store) == []
            assert len(list((tmp_path / "tmp").iterdir())) == 2, "its own room and lock"
    assert list((tmp_path / "tmp").iterdir()) == []


def test_what_is_in_tmp_without_an_owner_is_swept(tmp_path: Path) -> None:
    Store(tmp_path).close()
    (tmp_path / "tmp" / "123-0").write_bytes(b"of an earlier version")
    (tmp_path / "tmp" / "1234" / "deep").mkdir(parents=True)
    (tmp_path / "tmp" / "5678.lock").touch()
    with Store(tmp_path) as store:
        assert staged_files(store) == []
    assert list((tmp_path / "tmp").iterdir()) == []


def test_sweeping_never_follows_a_link_out_of_the_store(tmp_path: Path) -> None:
    Store(tmp_path / "store").close()
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "weights.bin").write_bytes(b"months of work")
    scratch = tmp_path / "store" / "tmp" / "dead"
    scratch.mkdir()
    (scratch / "models").symlink_to(tmp_path / "models", target_is_directory=True)
    (scratch / "gone").symlink_to(tmp_path / "nowhere")
    with Store(tmp_path / "store") as store:
        assert (tmp_path / "models" / "weights.bin").read_bytes() == b"months of work"
        assert staged_files(store) == []


# ---------------------------------------------------------------- refusing


def test_a_newer_format_is_refused_with_what_to_do_and_left_alone(tmp_path: Path) -> None:
    newer = msgspec.json.encode({"format": FORMAT + 2, "min_reader": FORMAT + 1, "store_id": "x", "more": [1]})
    (tmp_path / "FORMAT").write_bytes(newer)
    with pytest.raises(StoreVersionError, match=f"has format {FORMAT + 2}; this daggr reads up to {FORMAT}") as caught:
        Store(tmp_path)
    assert "Update daggr" in caught.value.hint
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"FORMAT": newer}


def test_a_newer_format_that_this_daggr_may_read_is_read(tmp_path: Path) -> None:
    newer = {"format": FORMAT + 1, "min_reader": FORMAT, "store_id": "x", "more": [1]}
    (tmp_path / "FORMAT").write_bytes(msgspec.json.encode(newer))
    with Store(tmp_path) as store:
        assert has(store, keep(store, 1))


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff\x00", b'{"format": "one"}'])
def test_a_format_file_that_is_damaged_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "FORMAT").write_bytes(content)
    with pytest.raises(StoreVersionError, match="FORMAT is not what daggr wrote"):
        Store(tmp_path)


def test_a_store_keeps_its_id(tmp_path: Path) -> None:
    Store(tmp_path).close()
    before = (tmp_path / "FORMAT").read_bytes()
    Store(tmp_path).close()
    assert (tmp_path / "FORMAT").read_bytes() == before


def test_a_file_in_the_place_of_the_store_is_told_as_a_setting(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("no folder")
    with pytest.raises(StoreAccessError, match=r"cannot be at .*store") as caught:
        Store(tmp_path / "store")
    assert "DAGGR_STORE" in caught.value.hint


def test_an_index_that_is_no_index_is_told_as_an_error_of_the_store(tmp_path: Path) -> None:
    Store(tmp_path).close()
    (tmp_path / "meta" / "data.mdb").write_bytes(b"not LMDB" * 4096)
    with pytest.raises(StoreError):
        Store(tmp_path)


def test_a_damaged_record_is_a_miss_reported_and_kept_aside(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with Store(tmp_path) as store:
        sheet = store.write(lambda txn: sheets.create(txn, "local", "graph"))
    with lmdb.open(str(tmp_path / "meta"), max_dbs=32, map_size=2**30, lib_version=0) as env:
        table = env.open_db(b"sheet")
        with env.begin(write=True) as raw:
            record = bytearray(raw.get(sheet.id, db=table))
            for at in (0, len(record) // 2, len(record) - 1):
                broken = bytearray(record)
                broken[at] ^= 4
                raw.put(sheet.id[:-1] + bytes([at]), bytes(broken), db=table)
            raw.put(sheet.id[:-1] + b"\xff", bytes(record), db=table)  # whole, but under the key of another
            raw.put(sheet.id[:-1] + b"\xfe", b"", db=table)
            damaged = [key for key, _ in raw.cursor(table) if key != sheet.id]
    assert len(damaged) >= 4
    with Store(tmp_path) as store:
        with store.read() as txn:
            assert txn.get(SHEETS, sheet.id) == sheet
            assert [txn.get(SHEETS, key) for key in damaged] == [None] * len(damaged)
            assert list(txn.scan(SHEETS)) == [(sheet.id, sheet)]
        assert "A record of the table 'sheet' is damaged" in caplog.text
        store.put([])
        with store.read() as txn:
            assert list(txn.keys(SHEETS)) == [sheet.id]
        assert len(list((tmp_path / "quarantine").iterdir())) == len(damaged)


# ---------------------------------------------------------------- places


def test_a_temporary_store_works_like_any_and_is_gone_when_closed(tmp_path: Path) -> None:
    with Store(None) as store:
        root = store.root
        assert store.load(keep(store, LARGE), tmp_path) == LARGE
        assert store.files.folder.parent == root
    assert not root.exists()
    store.close()


def test_temporary_stores_know_nothing_of_each_other() -> None:
    with Store(None) as one, Store(None) as other:
        identity = keep(one, "mine")
        assert not has(other, identity)


def test_a_store_stays_where_it_is_when_the_working_folder_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    store = Store(Path("store"))
    try:
        identity = keep(store, LARGE)
        monkeypatch.chdir(tmp_path / "elsewhere")
        assert store.load(identity, tmp_path) == LARGE
        assert has(store, keep(store, LARGE + "!"))
    finally:
        monkeypatch.chdir(tmp_path)
        store.close()


def test_the_secret_of_a_store_is_its_own_and_stays(tmp_path: Path) -> None:
    with Store(tmp_path / "a") as one, Store(tmp_path / "b") as other:
        secret = one.secret()
        assert len(secret) == 32
        assert one.secret() == secret != other.secret()
    with Store(tmp_path / "a") as again:
        assert again.secret() == secret


@pytest.mark.skipif(sys.platform != "linux", reason="the limit that Linux has")
@pytest.mark.parametrize(("gibibytes", "opens"), [(6, True), (1, False)])
def test_a_store_opens_in_a_small_address_space_or_says_what_is_wrong(
    tmp_path: Path, gibibytes: int, opens: bool
) -> None:
    script = (
        "import resource, sys\n"
        "from pathlib import Path\n"
        "from daggr.errors import StoreError\n"
        "from daggr.store.store import Store\n"
        f"resource.setrlimit(resource.RLIMIT_AS, ({gibibytes} << 30, {gibibytes} << 30))\n"
        "try:\n"
        "    Store(Path(sys.argv[1])).close()\n"
        "except StoreError as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, tmp_path / "store"], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "" if opens else "ulimit -v" in done.stdout
