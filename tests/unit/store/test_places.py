"""Where a store can be: file systems, rights, other people's folders; and records of another time."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from daggr.errors import DaggrError, StoreAccessError, StoreVersionError, UnknownCodecError
from daggr.store import layout
from daggr.store.artifacts import Staged
from daggr.store.layout import FORMAT
from daggr.store.mounts import is_network, kind_in
from daggr.store.records import Artifact
from daggr.store.store import Store
from daggr.store.tables import ARTIFACTS, Txn
from tests.unit.store.rooms import has, keep

MOUNTS = """\
22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
23 22 0:21 / /proc rw,nosuid shared:12 - proc proc rw
30 22 0:40 / /net/home rw,relatime shared:2 master:3 - nfs4 filer:/home rw,vers=4.2
31 30 8:1 / /net/home/ada/scratch rw - ext4 /dev/sda1 rw
32 22 0:41 / /mnt/my\\040models rw,nosuid - fuse.sshfs ada@far:/models rw
33 22 0:42 / /var/lib/docker/merged rw - overlay overlay rw,lowerdir=/a:/b - odd
34 22 0:43 / /data rw - ext4 /dev/sdb1 rw
35 34 0:44 / /data rw - cifs //filer/data rw
36 22 0:45 / /media/usb rw - fuseblk /dev/sdc1 rw
37 22 0:46 / /tab\\011and\\134slash rw - nfs filer:/x rw
38 22 0:47 / /over rw - nfs filer:/y rw
39 38 0:48 / /over rw - tmpfs tmpfs rw

nonsense without a separator
"""


@pytest.mark.parametrize(("folder", "kind"), [
    ("/", "ext4"), ("/home/ada", "ext4"), ("/net/home", "nfs4"), ("/net/home/ada", "nfs4"), ("/net/homely", "ext4"),
    ("/net/home/ada/scratch", "ext4"), ("/net/home/ada/scratch/store", "ext4"), ("/net/home/ada/scratchy", "nfs4"),
    ("/mnt/my models/store", "fuse.sshfs"), ("/mnt/my", "ext4"), ("/mnt/my\\040models", "ext4"),
    ("/var/lib/docker/merged/x", "overlay"), ("/data/store", "cifs"), ("/media/usb/store", "fuseblk"),
    ("/tab\tand\\slash/x", "nfs"), ("/over/store", "tmpfs"), ("/proc/self", "proc"),
])  # fmt: skip
def test_the_innermost_mount_tells_the_kind_of_file_system(folder: str, kind: str) -> None:
    assert kind_in(MOUNTS, Path(folder)) == kind


def test_a_folder_on_no_mount_has_no_kind() -> None:
    assert kind_in("", Path("/data")) is None
    assert kind_in("34 22 0:43 / /data rw - ext4 /dev/sdb1 rw", Path("/home")) is None


@pytest.mark.parametrize(("kind", "far"), [
    ("nfs", True), ("nfs4", True), ("cifs", True), ("smb3", True), ("fuse.sshfs", True), ("fuse.s3fs", True),
    ("fuse", True), ("9p", True), ("ext4", False), ("xfs", False), ("btrfs", False), ("zfs", False), ("apfs", False),
    ("overlay", False), ("tmpfs", False), ("fuseblk", False), ("fuse.mergerfs", False), ("ntfs3", False),
])  # fmt: skip
def test_a_network_is_told_from_a_disk(kind: str, far: bool) -> None:
    assert is_network(kind) == far


def test_a_store_on_a_network_is_refused_with_what_to_do_and_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layout, "network_file_system", lambda folder: "nfs4")
    with pytest.raises(StoreAccessError, match=r"network file system \(nfs4\)") as caught:
        Store(tmp_path / "store")
    assert "DAGGR_STORE" in caught.value.hint
    assert list((tmp_path / "store").iterdir()) == []


# ---------------------------------------------------------------- rights

AS_NOBODY = """
import os, sys
from pathlib import Path
from daggr.errors import StoreError
from daggr.store.store import Store
if os.getuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
try:
    Store(Path(sys.argv[1])).close()
except StoreError as error:
    print(type(error).__name__, error)
"""


def as_nobody(root: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", AS_NOBODY, str(root)], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.mark.skipif(sys.platform == "win32", reason="rights as POSIX has them")
@pytest.mark.parametrize("what", [
    "the folder above", "the folder", "its files",
    "tmp",
])  # fmt: skip
def test_missing_rights_are_told_with_what_to_do(tmp_path: Path, what: str) -> None:
    for folder in (tmp_path, *tmp_path.parents):
        if folder.owner() == tmp_path.owner() and folder != Path("/tmp"):
            folder.chmod(0o755)
    root = tmp_path / "store"
    if what != "the folder above":
        Store(root).close()
        for folder in (root, root / "meta", root / "tmp", root / "blobs", root / "files"):
            folder.chmod(0o777)
        for file in (root / "meta").iterdir():
            file.chmod(0o666)
        assert as_nobody(root) == "", "with all rights it opens"
    denied = {
        "the folder above": tmp_path, "the folder": root, "tmp": root / "tmp",
        "its files": root / "meta" / "data.mdb",
    }[what]  # fmt: skip
    before = sorted(path.name for path in root.rglob("*")) if root.exists() else []
    if what == "the folder":
        (root / "files").rmdir()
    denied.chmod(0o444 if denied.is_file() else 0o555)
    said = as_nobody(root)
    denied.chmod(0o755)
    assert said.startswith("StoreAccessError "), said
    assert "DAGGR_STORE" in said
    assert str(root) in said
    if root.exists() and what != "the folder":
        assert sorted(path.name for path in root.rglob("*")) == before


# ---------------------------------------------------------------- others' folders and other times


def test_a_folder_of_something_else_is_refused_and_not_touched(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    (tmp_path / "blobs").mkdir()
    (tmp_path / "blobs" / "photo").write_bytes(b"x")
    with pytest.raises(StoreAccessError, match=r"is no store, and not empty: it has blobs, thesis\.tex") as caught:
        Store(tmp_path)
    assert "empty" in caught.value.hint
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["blobs", "photo", "thesis.tex"]


@pytest.mark.parametrize("name", ["lost+found", ".DS_Store", ".gitignore"])
def test_what_systems_leave_everywhere_is_no_reason_to_refuse(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    with Store(tmp_path) as store:
        assert has(store, keep(store, 1))


def test_each_thing_that_cannot_be_read_has_its_own_error_with_a_hint(tmp_path: Path) -> None:
    caught: dict[type[DaggrError], DaggrError] = {}

    def expect(kind: type[DaggrError], act: object) -> None:
        with pytest.raises(kind) as error:
            act()  # type: ignore[operator]
        assert type(error.value) is kind
        caught[kind] = error.value

    for name, text in (
        ("newer", {"format": FORMAT + 1, "min_reader": FORMAT + 1, "store_id": "x"}),
        ("mine", {"a": 1}),
    ):
        (tmp_path / name).mkdir()
        (tmp_path / name / ("FORMAT" if name == "newer" else "diary")).write_bytes(msgspec.json.encode(text))
    expect(StoreVersionError, lambda: Store(tmp_path / "newer"))
    expect(StoreAccessError, lambda: Store(tmp_path / "mine"))
    with Store(tmp_path / "store") as store:
        identity = store.artifacts.stage(1).digest
        store.put([Staged(identity, Artifact("somebody/elses", 1, b"x", None))])
        expect(UnknownCodecError, lambda: store.load(identity))
    assert all(error.hint for error in caught.values()), caught


@pytest.mark.parametrize("length", [0, 4, 8, 9, 30])
def test_a_truncated_record_is_a_miss_that_is_said(
    tmp_path: Path, length: int, caplog: pytest.LogCaptureFixture
) -> None:
    with Store(tmp_path / "store") as store:
        identity, other = keep(store, "one"), keep(store, "other")

        def cut(txn: Txn) -> None:
            data = txn.raw("artifact", identity)
            assert data is not None
            assert len(data) > length
            txn.mark(ARTIFACTS, identity, data[:length])  # type: ignore[arg-type]

        store.write(cut)
        assert not has(store, identity)
        assert "A record of the table 'artifact' is damaged" in caplog.text
        assert store.load(other) == "other"
        assert store.load(keep(store, "one")) == "one"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_a_pipe_in_the_place_of_a_store_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "store")
    with pytest.raises(StoreAccessError):
        Store(tmp_path / "store")
