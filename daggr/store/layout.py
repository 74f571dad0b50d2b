"""The folder of a store: what must be true before anything is opened in it."""

from __future__ import annotations

import contextlib
import os
import secrets
import uuid
from pathlib import Path

import msgspec

from daggr.errors import StoreAccessError, StoreVersionError
from daggr.store.durable import sync_file, sync_folder
from daggr.store.mounts import network_file_system

FORMAT = 1
_NOT_OURS_BUT_FINE = ("lost+found", ".DS_Store", "desktop.ini", ".gitignore", ".stfolder")


class Format(msgspec.Struct):
    """The file FORMAT. `min_reader` is the least format that a reader must know."""

    format: int
    min_reader: int
    store_id: str


def prepare(root: Path) -> Format:
    """Make the folder of a store, or recognise one.

    Raises:
        StoreVersionError: a newer daggr wrote it, or FORMAT is not what daggr writes.
        StoreAccessError: it cannot be written, holds something else, or is on a network.
    """
    try:
        root.mkdir(parents=True, exist_ok=True)
        if (kind := network_file_system(root)) is not None:
            raise StoreAccessError(
                f"The store cannot be at {root}: that is a network file system ({kind}), on which an index breaks.",
                "Keep it on a local disk (set DAGGR_STORE).",
            )
        path = root / "FORMAT"
        if not path.exists():
            _refuse_strangers(root)
            _write(path)
        found = _read(path)
        for name in ("blobs", "tmp", "files"):
            (root / name).mkdir(exist_ok=True)
        return found
    except OSError as error:
        raise StoreAccessError(
            f"The store cannot be at {root}: {error}.",
            "Give yourself the right to write there, or set DAGGR_STORE to a folder of your own.",
        ) from error


def _refuse_strangers(root: Path) -> None:
    strangers = sorted(
        entry.name
        for entry in root.iterdir()
        if entry.name not in _NOT_OURS_BUT_FINE and not entry.name.startswith("FORMAT.")
    )
    if strangers and not (root / "FORMAT").exists():  # somebody else may have made it just now
        shown = ", ".join(strangers[:4]) + (" …" if len(strangers) > 4 else "")
        raise StoreAccessError(
            f"{root} is no store, and not empty: it has {shown}.",
            "Set DAGGR_STORE to a folder that is empty or not there yet.",
        )


def _write(path: Path) -> None:
    """Whole or not at all; of several who try at once, the first one's stays."""
    staged = path.with_name(f"FORMAT.{secrets.token_hex(4)}")
    try:
        with open(staged, "xb") as file:
            file.write(msgspec.json.encode(Format(FORMAT, FORMAT, str(uuid.uuid4()))))
            file.flush()
            sync_file(file.fileno())
        with contextlib.suppress(FileExistsError):
            try:
                os.link(staged, path)
            except (NotImplementedError, OSError) as error:
                if isinstance(error, FileExistsError) or path.exists():
                    raise FileExistsError from error
                os.replace(staged, path)  # a file system without links
        sync_folder(path.parent)
    finally:
        staged.unlink(missing_ok=True)


def _read(path: Path) -> Format:
    try:
        found = msgspec.json.decode(path.read_bytes(), type=Format)
    except msgspec.DecodeError as error:
        raise StoreVersionError(
            f"{path} is not what daggr wrote: {error}.", "Another program's folder? Set DAGGR_STORE to another one."
        ) from None
    if found.min_reader > FORMAT:
        raise StoreVersionError(
            f"The store at {path.parent} has format {found.format}; this daggr reads up to {FORMAT}.",
            "Update daggr, or set DAGGR_STORE to another folder.",
        )
    return found
