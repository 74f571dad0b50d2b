"""LMDB's environment of a store: how it is opened, what its errors mean, how a damaged one is written anew."""

from __future__ import annotations

import errno
import itertools
import logging
import os
import shutil
import struct
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import lmdb
import msgspec
from lmdb.verify import VerifyError, verify

from daggr.errors import ArtifactCorruptError, StoreAccessError, StoreError
from daggr.store.durable import disk_error
from daggr.store.records import Note
from daggr.store.tables import ALL, ARTIFACTS, BLOBS, CONDEMNED, DAMAGE, LEASES, META, RELAXED, Table, Txn, read

MAP_SIZE = 64 * 2**30
"""Far more than is ever used, since a map must not grow while others look at it. It takes address space only."""

LEAST_MAP_SIZE = 2**30
LONGEST_KEY = 511

Durability = Literal["full", "relaxed"]
Tables = Mapping[bytes, Any]
log = logging.getLogger("daggr.store")

_NO_SPACE = os.strerror(errno.ENOSPC)


def open_environment(folder: Path, durability: Durability) -> lmdb.Environment:
    """The environment of a folder; with a smaller map where the address space is limited (`ulimit -v`).

    Raises:
        StoreAccessError: missing rights, or a read-only folder.
        StoreError: it cannot be opened.
    """
    size = MAP_SIZE
    while True:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            return _filled_up(
                folder,
                lmdb.open(
                    str(folder),
                    map_size=size,
                    max_dbs=32,
                    max_readers=1024,
                    max_spare_txns=8,
                    metasync=durability == "full",
                    sync=True,
                    writemap=False,
                    readahead=False,
                    lib_version=0,  # the stable engine, and one format for all files
                ),
            )
        except lmdb.MemoryError as error:
            if size <= LEAST_MAP_SIZE:
                raise StoreError(
                    f"There is no room in this process's address space to map the store's index at {folder}.",
                    "Raise the limit (`ulimit -v`).",
                ) from error
            size //= 2
        except (lmdb.ReadonlyError, lmdb.LockError) as error:
            raise no_access(folder, error) from error
        except OSError as error:
            raise translated(error, folder) from error
        except lmdb.Error as error:
            if any(word in str(error) for word in ("ermission denied", "ead-only file system")):
                raise no_access(folder, error) from error
            if _NO_SPACE in str(error):
                raise translated(error, folder) from error
            raise StoreError(
                f"The store's index at {folder} cannot be opened: {error}.",
                "Another program's files? Move the store away, or set DAGGR_STORE to another folder.",
            ) from error


def _filled_up(folder: Path, env: lmdb.Environment) -> lmdb.Environment:
    """Make the file as long as it says it is: to look behind its end would kill the process, zeros are only damage."""
    path, wanted = folder / "data.mdb", (env.info()["last_pgno"] + 1) * env.stat()["psize"]
    if (size := path.stat().st_size) < wanted:
        log.warning("The index %s has %d bytes of %d. If that is damage, `daggr fsck` finds it.", path, size, wanted)
        os.truncate(path, wanted)
    return env


def open_tables(env: lmdb.Environment, folder: Path) -> Tables:
    """The tables of an environment, made if they are not there."""
    try:
        return {table.name: env.open_db(table.name) for table in ALL}
    except lmdb.Error as error:
        env.close()
        raise translated(error, folder) from error


def no_access(folder: Path, error: BaseException) -> StoreAccessError:
    """The error for a folder that cannot be written."""
    return StoreAccessError(
        f"The store's index at {folder} cannot be opened for writing: {error}.",
        "Give yourself the right to write there, or set DAGGR_STORE to a folder of your own.",
    )


def translated(error: BaseException, folder: Path) -> BaseException:
    """LMDB's and the system's errors in the words of the store; others as they are."""
    if not isinstance(error, (lmdb.Error, OSError)):
        return error
    if isinstance(error, DAMAGE):
        return ArtifactCorruptError(f"The store's index at {folder} is damaged: {error}.", "Run `daggr fsck --repair`.")
    full = isinstance(error, (lmdb.MapFullError, lmdb.DiskError))
    if isinstance(error, lmdb.Error) and not full:
        short = "Input/output" in str(error)  # so LMDB calls a short write
        full = _NO_SPACE in str(error) or (short and _is_full(folder))
    return disk_error(error, folder.parent, full=full)


def _is_full(folder: Path) -> bool:
    return shutil.disk_usage(folder).free < 1 << 20


# ---------------------------------------------------------------- damage


def problems(env: lmdb.Environment, copy: Path) -> list[str]:
    """What is wrong with LMDB's own structure, found in a copy that is made at a path and removed again.

    Raises:
        StoreFullError: there is no room for the copy.
    """
    try:
        copy.mkdir()
        env.copy(str(copy))
        return [str(problem) for problem in verify(str(copy))]  # type: ignore[no-untyped-call]
    except (lmdb.DiskError, OSError) as error:
        raise translated(error, copy.parents[1]) from error
    except (VerifyError, lmdb.Error, struct.error, IndexError, ValueError) as error:
        return [f"it cannot be walked through: {error}"]
    finally:
        shutil.rmtree(copy, ignore_errors=True)


def write_anew(old: Txn, folder: Path) -> None:
    """Write all that can be read into a new environment beside the old one."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    env = open_environment(folder, "full")
    try:
        new = open_tables(env, folder)
        for table in ALL:
            waiting = (item for item in old.scan_safely(table) if _is_whole(table, *item))
            while some := list(itertools.islice(waiting, 10_000)):
                with env.begin(write=True) as raw:
                    for key, data in some:
                        raw.put(key, data, db=new[table.name])
        with env.begin(write=True) as raw:
            _renumber(Txn(raw, new, lambda *_: None, lambda: None, folder.parent, write=True))
    finally:
        env.close()


def _is_whole(table: object, key: bytes, data: bytes) -> bool:
    in_form = 0 < len(key) <= LONGEST_KEY
    return in_form and (not isinstance(table, Table) or read(table, key, data) is not None)


def _renumber(txn: Txn) -> None:
    """In a new environment transactions count from 1: what names one of the old names the first of the new."""
    replace = msgspec.structs.replace
    for name, blob in list(txn.scan(BLOBS)):
        txn.put(BLOBS, name, replace(blob, ref_txn=1 if blob.condemned else 0))
    for name, artifact in list(txn.scan(ARTIFACTS)):
        if artifact.condemned:
            txn.put(ARTIFACTS, name, replace(artifact, condemned=1))
    for key in list(txn.keys(CONDEMNED)):
        txn.delete(CONDEMNED, key)
        txn.mark(CONDEMNED, (1).to_bytes(8, "big") + key[8:])
    for key, lease in list(txn.scan(LEASES)):
        txn.put(LEASES, key, replace(lease, floor=0))
    if (known := txn.get(META, RELAXED)) is not None:
        txn.put(META, RELAXED, Note(bytes(16) + known.value[16:]))


def exchange(folder: Path, fresh: Path) -> None:
    """Put a new environment in the place of the old one, at once; the old one is kept in quarantine."""
    aside = folder.parent / "quarantine" / f"meta-{time.time_ns()}"
    aside.mkdir(parents=True)
    os.link(folder / "data.mdb", aside / "data.mdb")
    os.replace(fresh / "data.mdb", folder / "data.mdb")
    (folder / "lock.mdb").unlink(missing_ok=True)  # it counts the transactions of the old one
    shutil.rmtree(fresh, ignore_errors=True)
