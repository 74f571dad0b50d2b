"""Opening a backend by its address."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

from daggr.errors import ConfigError
from daggr.store.backends.base import Backend
from daggr.store.backends.local import LocalBackend
from daggr.store.backends.trouble import redacted
from daggr.store.backends.url import UrlBackend

_READ_ONLY = ("http", "https", "github", "data", "zip", "tar")


def open_backend(place: str | os.PathLike[str], **options: Any) -> Backend:
    """The backend at a folder or URL. `options` go to the driver of the URL; a folder takes none.

    `memory://name` is shared within this process. Wrap what comes back in `Deadline` and `Retrying` as needed.

    Raises:
        ConfigError: no backend is like this, or the package for it is not installed.
        SyncError: a driver that connects at once could not.
    """
    text = os.fspath(place)
    if not text:
        raise ConfigError("A remote is a folder or a URL; given: an empty text.")
    if isinstance(place, os.PathLike) or "://" not in text:
        return _folder(Path(text), options)
    scheme = text.partition("://")[0].lower()
    if scheme in ("file", "local"):
        return _folder(Path(url2pathname(urlsplit(text).path)), options)
    if scheme == "hf":
        raise ConfigError(
            f"Remotes on the Hub are not built yet: {redacted(text)}.",
            "They come with the sync issue. Until then use a folder, s3://, gs://, az:// or sftp://.",
        )
    if scheme in _READ_ONLY:
        raise ConfigError(f"{scheme}:// cannot be written to.", "Use a folder, s3://, gs://, az:// or sftp://.")
    return UrlBackend(text, **options)


def _folder(path: Path, options: dict[str, Any]) -> Backend:
    if options:
        raise ConfigError(f"A folder takes no options; given: {', '.join(sorted(options))}.")
    return LocalBackend(path)
