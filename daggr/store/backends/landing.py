"""Landing: a file that appears under its name whole or not at all."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def landing(path: Path) -> Iterator[Path]:
    """A path beside `path` to write to. When the block ends well, what was written there moves to `path`.

    A block that writes nothing moves nothing; one that raises leaves nothing behind. Bytes are not synced to disk.

    Raises:
        FileNotFoundError: the folder is not there.
    """
    if not path.parent.is_dir():  # some drivers would make it
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path.parent))
    partial = path.with_name(f".{os.getpid()}-{secrets.token_hex(8)}")
    try:
        yield partial
        if partial.is_file():
            os.replace(partial, path)
    finally:
        if partial.is_dir():  # some drivers make a folder for a name that is one at their side
            partial.rmdir()
        else:
            partial.unlink(missing_ok=True)
