"""Values and files: what is staged and put can be loaded, by whoever opens the store, or it is refused."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from daggr.digest import Digest, UnencodableError, digest
from daggr.errors import ArtifactCorruptError, ArtifactMissingError
from daggr.store import files
from daggr.store.artifacts import INLINE_LIMIT, VOLATILE_LIMIT, Staged
from daggr.store.store import Store
from daggr.store.tables import ARTIFACTS, BLOBS, Txn
from tests.unit.store.rooms import blob_files, has, keep, staged_files

LARGE = "x" * (2 * INLINE_LIMIT)


def name_of(thing: str) -> Digest:
    return digest("volatile", thing.encode())


def keep_file(store: Store, source: Path, name: str | None = None) -> Staged:
    staged = store.artifacts.stage_file(source, name)
    store.put([staged])
    return staged


@pytest.mark.parametrize("value", [None, "small", LARGE, {"a": (1, {2.5}), "b": bytearray(b"x")}])
def test_a_value_is_there_after_the_store_was_opened_anew(tmp_path: Path, value: Any) -> None:
    with Store(tmp_path / "store") as store:
        identity = keep(store, value)
    with Store(tmp_path / "store") as store:
        loaded = store.load(identity, tmp_path)
        assert has(store, identity)
    assert (type(loaded), loaded) == (type(value), value)


def test_equal_content_is_one_blob(tmp_path: Path) -> None:
    with Store(tmp_path / "store") as store:
        staged = [store.artifacts.stage(LARGE), store.artifacts.stage(LARGE)]
        store.put(staged)
        keep(store, LARGE)
        for name in ("one.bin", "other.bin"):
            (tmp_path / name).write_bytes(b"y" * 50_000)
            keep_file(store, tmp_path / name)
        assert len(blob_files(store)) == 2
        assert staged_files(store) == []


def test_a_file_keeps_its_bytes_and_the_name_that_functions_see(tmp_path: Path) -> None:
    source = tmp_path / "Mein Bild.png"
    source.write_bytes(b"pixels")
    with Store(tmp_path / "store") as store:
        staged = keep_file(store, source)
        source.write_bytes(b"changed afterwards")
        (tmp_path / "run").mkdir()
        loaded = Path(store.load(staged.digest, tmp_path / "run"))
        assert (loaded.name, loaded.read_bytes()) == ("Mein Bild.png", b"pixels")
        loaded.write_bytes(b"a function may change what it was given")
        (tmp_path / "next").mkdir()
        assert Path(store.load(staged.digest, tmp_path / "next")).read_bytes() == b"pixels"


def test_a_files_name_is_part_of_what_it_is(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"same")
    with Store(tmp_path / "store") as store:
        one, other = keep_file(store, tmp_path / "a.txt"), keep_file(store, tmp_path / "a.txt", "b.txt")
        assert one.digest != other.digest
        assert one.artifact.blob == other.artifact.blob
        assert len(blob_files(store)) == 1
        with store.read() as txn:
            found = store.artifacts.file(txn, other.digest)
            assert found is not None
            assert (found.name, found.size, found.path.read_bytes()) == ("b.txt", 4, b"same")


@pytest.mark.parametrize("how", ["flip", "cut", "gone"])
def test_a_shared_copy_is_read_only_stays_where_it_is_and_is_mended(tmp_path: Path, how: str) -> None:
    (tmp_path / "a.txt").write_bytes(b"same" * 100)
    with Store(tmp_path / "store") as store:
        identity = keep_file(store, tmp_path / "a.txt").digest
        path = Path(store.load(identity))
        assert stat.S_IMODE(path.stat().st_mode) == 0o444
        damage(path, how)
        assert Path(store.load(identity)) == path
        assert path.read_bytes() == b"same" * 100
    with Store(tmp_path / "store") as store:
        damage(path, how)
        assert Path(store.load(identity)).read_bytes() == b"same" * 100


def test_private_copies_are_the_callers_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.txt").write_bytes(b"same" * 100)
    with Store(tmp_path / "store") as store:
        identity = keep_file(store, tmp_path / "a.txt").digest
        for run in ("one", "other"):
            path = Path(store.load(identity, tmp_path / run))
            assert path.read_bytes() == b"same" * 100
            path.write_bytes(b"changed in place")
        monkeypatch.setattr(files, "LINK_LIMIT", 100)
        for run in ("third", "fourth"):  # a link to the shared copy, which is looked at each time
            path = Path(store.load(identity, tmp_path / run))
            assert path.read_bytes() == b"same" * 100
            path.chmod(0o644)
            path.write_bytes(b"changed in place, by someone who may")


def test_a_path_is_text_until_somebody_says_it_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"secret")
    with Store(tmp_path / "store") as store:
        identity = keep(store, str(tmp_path / "a.txt"))
        assert store.load(identity, tmp_path) == str(tmp_path / "a.txt")
        with store.read() as txn:
            assert store.artifacts.file(txn, identity) is None


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_a_file_whose_name_is_no_unicode_can_be_kept(tmp_path: Path) -> None:
    source = tmp_path / os.fsdecode(b"caf\xe9.txt")
    source.write_bytes(b"coffee")
    with Store(tmp_path / "store") as store:
        staged = keep_file(store, source)
        assert Path(store.load(staged.digest, tmp_path)).read_bytes() == b"coffee"


def test_blobs_cannot_be_written_to_by_accident(tmp_path: Path) -> None:
    with Store(tmp_path / "store") as store:
        keep(store, LARGE)
        assert [stat.S_IMODE(path.stat().st_mode) for path in blob_files(store)] == [0o444]


def test_what_was_never_put_is_missing(tmp_path: Path) -> None:
    with Store(tmp_path / "store") as store:
        staged = store.artifacts.stage(LARGE)
        assert not has(store, staged.digest)
        with pytest.raises(ArtifactMissingError, match=staged.digest.hex()):
            store.load(staged.digest, tmp_path)


def test_a_value_without_codec_lives_in_this_store_object_only(tmp_path: Path) -> None:
    thing, identity = object(), name_of("thing")
    with Store(tmp_path / "store") as store:
        with pytest.raises(UnencodableError):
            store.artifacts.stage(thing)
        assert staged_files(store) == []
        store.artifacts.keep(identity, thing)
        assert has(store, identity)
        assert store.load(identity, tmp_path) is thing
        for number in range(VOLATILE_LIMIT):
            store.artifacts.keep(name_of(str(number)), number)
        assert not has(store, identity)
    with Store(tmp_path / "store") as store:
        assert not has(store, name_of("0"))


def test_none_in_memory_is_not_nothing(tmp_path: Path) -> None:
    identity = name_of("none")
    with Store(tmp_path / "store") as store:
        assert store.artifacts.volatile(identity) is None
        store.artifacts.keep(identity, None)
        assert store.artifacts.volatile(identity) == (None,)


# ---------------------------------------------------------------- all or nothing


def test_a_write_that_fails_leaves_no_record_and_no_staged_file(tmp_path: Path) -> None:
    with Store(tmp_path / "store") as store:
        small, large = store.artifacts.stage("small"), store.artifacts.stage(LARGE)

        def fail(_: Txn) -> None:
            raise RuntimeError("power cut")

        with pytest.raises(RuntimeError, match="power cut"):
            store.write(fail, [small, large])
        assert staged_files(store) == []
        assert large.blob is not None
        with store.read() as txn:
            assert txn.get(ARTIFACTS, small.digest) is None
            assert txn.get(ARTIFACTS, large.digest) is None
            assert txn.get(BLOBS, large.blob.sha256) is None
        assert not has(store, large.digest)
        assert store.load(keep(store, LARGE), tmp_path) == LARGE


def test_a_file_without_a_row_is_not_believed(tmp_path: Path) -> None:
    with Store(tmp_path / "store") as store:
        staged = store.artifacts.stage(LARGE)
        assert staged.blob is not None
        orphan = store.blobs.path(staged.blob.sha256)
        orphan.parent.mkdir()
        orphan.write_bytes(b"?" * staged.blob.size)
        store.put([staged])
        assert store.load(staged.digest, tmp_path) == LARGE


def test_staging_that_fails_half_way_leaves_nothing(tmp_path: Path) -> None:
    def chunks() -> Any:
        yield b"x" * 100_000
        raise OSError("the camera was unplugged")

    with Store(tmp_path / "store") as store:
        with pytest.raises(OSError, match="unplugged"):
            store.blobs.stage(chunks())
        assert staged_files(store) == []


def test_a_scratch_folder_is_gone_with_all_that_is_in_it(tmp_path: Path) -> None:
    with Store(tmp_path / "store") as store:
        with store.scratch() as one, store.scratch() as other:
            assert one != other
            (one / "deep").mkdir()
            (one / "deep" / "file").write_text("x")
        assert staged_files(store) == []


# ---------------------------------------------------------------- damage


def damage(path: Path, how: str) -> None:
    data = bytearray(path.read_bytes())
    path.chmod(0o644)
    if how == "flip":
        data[len(data) // 2] ^= 1
    elif how == "cut":
        del data[-1]
    elif how == "grow":
        data += b"!"
    path.write_bytes(data)
    if how == "gone":
        path.unlink()


@pytest.mark.parametrize("kind", ["value", "file"])
@pytest.mark.parametrize("how", ["flip", "cut", "grow", "gone"])
def test_a_damaged_blob_is_refused_and_never_served(tmp_path: Path, kind: str, how: str) -> None:
    (tmp_path / "source.txt").write_text(LARGE)
    with Store(tmp_path / "store") as store:
        staged = (
            store.artifacts.stage(LARGE) if kind == "value" else store.artifacts.stage_file(tmp_path / "source.txt")
        )
        store.put([staged])
        damage(blob_files(store)[0], how)
        (tmp_path / "run").mkdir()
        assert has(store, staged.digest) == (how == "flip"), "another size is a miss without reading"
        with pytest.raises(ArtifactMissingError if how == "gone" else ArtifactCorruptError):
            store.load(staged.digest, tmp_path / "run")
        assert [path for path in (tmp_path / "run").rglob("*") if path.is_file()] == []
        store.put([])
        assert not has(store, staged.digest), "once it was read it is known"
        assert blob_files(store) == []
        kept_aside = [path.name for path in (tmp_path / "store").glob("quarantine/*")]
        assert len(kept_aside) == (how != "gone")


@pytest.mark.parametrize("how", ["flip", "cut", "grow", "gone"])
def test_writing_content_again_mends_its_damaged_blob(tmp_path: Path, how: str) -> None:
    with Store(tmp_path / "store") as store:
        identity = keep(store, LARGE)
        damage(blob_files(store)[0], how)
    with Store(tmp_path / "store") as store:
        assert keep(store, LARGE) == identity
        assert store.load(identity, tmp_path) == LARGE


# ---------------------------------------------------------------- two of them


def test_two_stores_on_one_folder_see_each_others_results(tmp_path: Path) -> None:
    with Store(tmp_path / "store") as one, Store(tmp_path / "store") as other:
        identity = keep(one, "small")
        assert other.load(identity, tmp_path) == "small"
        one.close()
        assert other.load(identity, tmp_path) == "small"
        assert has(other, keep(other, "later"))


def test_two_stores_on_one_folder_can_stage_at_the_same_time(tmp_path: Path) -> None:
    with Store(tmp_path / "store") as one, Store(tmp_path / "store") as other:
        staged = [one.artifacts.stage(LARGE), other.artifacts.stage(LARGE + "!")]
        one.put(staged[:1])
        other.put(staged[1:])
        assert one.load(staged[1].digest, tmp_path) == LARGE + "!"
        assert other.load(staged[0].digest, tmp_path) == LARGE


def test_two_stores_on_one_folder_can_have_scratch_folders_at_the_same_time(tmp_path: Path) -> None:
    with (
        Store(tmp_path / "store") as one,
        Store(tmp_path / "store") as other,
        one.scratch() as here,
        other.scratch() as there,
    ):
        assert here != there


def test_another_process_sees_what_was_written_and_adds_to_it(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from daggr.store.store import Store\n"
        "with Store(Path(sys.argv[1])) as store:\n"
        "    print(store.load(bytes.fromhex(sys.argv[2]), Path(sys.argv[1])))\n"
        "    staged = store.artifacts.stage('answer' * 9999)\n"
        "    store.put([staged])\n"
        "    print(staged.digest.hex())"
    )
    with Store(tmp_path / "store") as store:
        asked = keep(store, "question")
        command = [sys.executable, "-c", script, str(tmp_path / "store"), asked.hex()]
        printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
        assert printed[0] == "question"
        assert store.load(bytes.fromhex(printed[1]), tmp_path) == "answer" * 9999
