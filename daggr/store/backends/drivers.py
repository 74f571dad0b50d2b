"""What is known of fsspec's drivers, so that `url.py` needs no word about any of them.

A driver without a line here works with what holds for all: values may be seen in part while they are written, and each
key costs requests of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from daggr.store.backends.trouble import Refused

PART = 8 << 20
"""Bytes of a part of a large upload. A worker has two parts in memory; a file of less than two goes whole."""

_MOST_PARTS = 10_000

Files = Any
"""An fsspec file system; fsspec has no types."""


def upload_part(size: int) -> int:
    """The part size for a file: `PART`, or more if it would have too many parts."""
    return max(PART, -(-size // _MOST_PARTS))


def upload_seconds(size: int) -> float:
    """How long an upload may take, unless it is hopeless: a minute, and its bytes at 100 kB a second.

    Needed since a PUT waits for `100 Continue` without any timeout (aiohttp starts its own only after the body).
    """
    return 60 + size / 100_000


def delete_each(files: Files, paths: Sequence[str]) -> None:
    """One request for each path; absent ones are passed over."""
    for path in paths:
        with suppress(FileNotFoundError):
            files.rm_file(path)


def delete_s3(files: Files, paths: Sequence[str]) -> None:
    """One request for all paths, as `S3FileSystem.rm` makes it; that one drops the refusals it gets for single keys."""
    split = [files.split_path(path) for path in paths]
    answer = files.call_s3(
        "delete_objects",
        Bucket=split[0][0],
        Delete={"Objects": [{"Key": key} for _, key, _ in split], "Quiet": True},
    )
    for refusal in answer.get("Errors", ()):
        if refusal.get("Code") != "NoSuchKey":
            raise Refused(refusal.get("Code", ""), f"{refusal.get('Key')}: {refusal.get('Message')}")


@dataclass(frozen=True)
class Driver:
    """How to use one driver.

    Attributes:
        install: What pip installs when its package is missing.
        atomic: A written object appears whole or not at all.
        renames: It is not so, but a move is: write aside, then move.
        flat: There are no folders, and `find` raises when it cannot list. Else folders are walked.
        whole: Its open files are shared between threads, so values are only moved in one piece.
        workers: How many keys may be written or deleted at the same time.
        batch: How many keys one deletion takes.
        delete: Deletes paths, at most `batch`.
        patience: Its writes take a `timeout`: this many seconds, given the size.
        options: For its constructor, unless the caller gives others.
        reading: For `cat_file` and `get_file`.
        writing: For `put_file`, given the size of the file.
        attributes: To be set on the file system.
    """

    install: str = ""
    atomic: bool = False
    renames: bool = False
    flat: bool = False
    whole: bool = False
    workers: int = 1
    batch: int = 100
    delete: Callable[[Files, Sequence[str]], None] = delete_each
    patience: Callable[[int], float] | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    reading: Mapping[str, Any] = field(default_factory=dict)
    writing: Callable[[int], Mapping[str, Any]] = lambda size: {}
    attributes: Mapping[str, Any] = field(default_factory=dict)


_S3 = Driver(
    install="daggr[s3]",
    atomic=True,
    flat=True,
    workers=8,
    batch=1000,
    delete=delete_s3,
    patience=upload_seconds,
    options={
        "use_listings_cache": False,
        "config_kwargs": {
            "retries": {"mode": "standard", "total_max_attempts": 3},
            # other makers' servers do not know Amazon's newer checksums
            "request_checksum_calculation": "when_required",
            "response_checksum_validation": "when_required",
        },
    },
    reading={"max_concurrency": 1},  # more would ask for the size first, and could mix two values
    writing=lambda size: {"chunksize": upload_part(size), "max_concurrency": 2},
    attributes={"retries": 1},  # botocore tries again already; s3fs would multiply its attempts by five
)
_GCS = Driver(
    install="gcsfs",
    atomic=True,
    flat=True,
    workers=8,
    patience=upload_seconds,
    options={"use_listings_cache": False},
    writing=lambda size: {"chunksize": upload_part(size)},
)
_AZURE = Driver(
    install="adlfs",
    atomic=True,
    workers=8,
    patience=upload_seconds,
    options={"use_listings_cache": False},
    writing=lambda size: {"overwrite": True},
)

DRIVERS: Mapping[str, Driver] = {
    "s3": _S3,
    "s3a": _S3,
    "gs": _GCS,
    "gcs": _GCS,
    "az": _AZURE,
    "abfs": _AZURE,
    "abfss": _AZURE,
    "sftp": Driver(install="paramiko", renames=True),
    "ssh": Driver(install="paramiko", renames=True),
    "file": Driver(renames=True),
    "local": Driver(renames=True),
    "memory": Driver(atomic=True, flat=True, whole=True),
}
