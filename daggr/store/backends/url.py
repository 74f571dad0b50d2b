"""A backend at any URL that fsspec knows: object stores, SFTP servers and the rest."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any

import fsspec  # type: ignore[import-untyped]

from daggr.errors import ConfigError, DaggrError, SyncError, did_you_mean
from daggr.store.backends.base import Caps, Item, Stat, checked_key, checked_prefix, checked_range, is_key
from daggr.store.backends.drivers import DRIVERS, Driver, Files
from daggr.store.backends.landing import landing
from daggr.store.backends.outcome import each
from daggr.store.backends.trouble import no_container, redacted, shown, sync_error

_SECRET_OPTIONS = (
    "key",
    "secret",
    "token",
    "password",
    "username",
    "credential",
    "account_key",
    "sas_token",
    "passphrase",
)
_ABSENT = (FileNotFoundError, IsADirectoryError, NotADirectoryError)
_GLOB = "*?[]"


class UrlBackend:
    """Keeps values as objects below a URL such as `s3://bucket/folder`. `options` go to the driver.

    Credentials and endpoints are found by the driver, for S3 in the AWS_* variables.

    Raises:
        ConfigError: the URL's scheme is unknown, or the package of its driver is not installed.
        SyncError: a driver that connects at once could not.
    """

    def __init__(self, url: str, *, driver: Driver | None = None, **options: Any) -> None:
        scheme = url.partition("://")[0].lower()
        if "::" in url or any(character in url for character in _GLOB):
            raise ConfigError(f"A remote is one plain URL, without '::' and {' '.join(_GLOB)}; given: {redacted(url)}.")
        self._driver = driver or DRIVERS.get(scheme, Driver())
        self._secrets = tuple(_secret_texts(options))
        self._place = redacted(url, self._secrets)
        _require(scheme, self._driver)
        with self._trouble("open"):
            self._files, root = _connect(url, {**self._driver.options, **options}, self._driver.attributes)
        self._root = str(root).rstrip("/")
        if self._driver.flat and not self._root:
            raise ConfigError(f"{self._place} names no bucket.", f"Write {scheme}://bucket/folder.")
        self._caps = Caps(atomic_put=self._driver.atomic or self._driver.renames, max_batch=self._driver.batch)

    @property
    def caps(self) -> Caps:
        """As the driver allows."""
        return self._caps

    # ------------------------------------------------------------ reading

    def get(self, key: str, start: int | None = None, end: int | None = None) -> bytes | None:
        """See `Backend.get`."""
        path = self._path(key)
        first, stop = checked_range(start, end)
        if stop is not None and stop <= first:
            return None if self.stat(key) is None else b""
        span = {} if first == 0 and stop is None else {"start": first, "end": stop}
        try:
            with self._trouble(f"read {key!r}"):
                data = self._present(lambda: self._files.cat_file(path, **span, **self._driver.reading))
            return None if data is None else bytes(data)
        except SyncError as error:
            if not span or error.retryable:
                raise
            if (stat := self.stat(key)) is None or stat.size <= first:  # services refuse ranges beyond the end
                return None if stat is None else b""
            raise

    def fetch(self, key: str, path: Path) -> bool:
        """See `Backend.fetch`."""
        source = self._path(key)
        with self._trouble(f"fetch {key!r} to {path}"), landing(path) as partial:
            if self._driver.whole:
                if (value := self.get(key)) is not None:
                    partial.write_bytes(value)
            else:
                self._present(lambda: self._files.get_file(source, str(partial), **self._driver.reading))
            return partial.is_file()

    def stat(self, key: str) -> Stat | None:
        """See `Backend.stat`."""
        path = self._path(key)
        with self._trouble(f"look at {key!r}"):
            self._files.invalidate_cache()
            info = self._present(lambda: self._files.info(path))
        return Stat(key, int(info["size"])) if info and info["type"] == "file" else None

    def list(self, prefix: str = "") -> Iterator[Stat]:
        """See `Backend.list`."""
        folder, _, start = checked_prefix(prefix).rpartition("/")
        return self._listed(f"{self._root}/{folder}" if folder else self._root, start, prefix)

    def _listed(self, folder: str, start: str, prefix: str) -> Iterator[Stat]:
        """All of it is read before the first is given, since fsspec reads so and most walks have no order."""
        found = []
        with self._trouble(f"list {prefix!r}"):
            self._files.invalidate_cache()
            for info in self._find(folder, start) if self._driver.flat else self._walk(folder):
                name = str(info["name"])
                key = name[len(self._root) + 1 :]
                if name.startswith(f"{self._root}/{prefix}") and is_key(key) and info["type"] == "file":
                    found.append(Stat(key, int(info["size"])))
        yield from sorted(found, key=lambda stat: stat.key)

    def _find(self, folder: str, start: str) -> Iterable[Mapping[str, Any]]:
        found = self._present(lambda: self._files.find(folder, detail=True, prefix=start))
        return (found or {}).values()

    def _walk(self, folder: str) -> Iterator[Mapping[str, Any]]:
        """Every file below a folder. `find` would pass over folders that cannot be listed, as if they were empty."""
        for _, _, found in self._files.walk(folder, detail=True, on_error=_raise_unless_absent):
            yield from found.values()

    # ------------------------------------------------------------ writing

    def put_many(self, items: Iterable[Item], *, message: str = "", last: Iterable[Item] = ()) -> None:
        """See `Backend.put_many`. Small values go in one request each, large files in parts."""
        each(self._put, items, self._driver.workers)
        for item in last:
            self._put(item)

    def _put(self, item: Item) -> None:
        path = self._path(item.key)
        aside = f"{path.rpartition('/')[0]}/.{secrets.token_hex(8)}" if self._driver.renames else path
        with self._trouble(f"put {item.key!r}"):
            if not (self._driver.flat or self._driver.atomic):
                self._files.makedirs(path.rpartition("/")[0], exist_ok=True)
            self._write(item.data, aside)
            if aside != path:
                self._files.mv(aside, path)

    def _write(self, data: bytes | Path, path: str) -> None:
        if isinstance(data, Path) and self._driver.whole:
            data = data.read_bytes()
        size = len(data) if isinstance(data, bytes) else data.stat().st_size
        limits = {"timeout": self._driver.patience(size)} if self._driver.patience else {}
        if isinstance(data, bytes):
            self._files.pipe_file(path, data, **limits)
        else:
            self._files.put_file(str(data), path, **limits, **self._driver.writing(size))

    def delete_many(self, keys: Iterable[str]) -> None:
        """See `Backend.delete_many`."""
        paths = iter([self._path(key) for key in keys])
        batches = iter(lambda: list(islice(paths, self._driver.batch)), [])
        each(self._delete, batches, self._driver.workers)

    def _delete(self, paths: Sequence[str]) -> None:
        with self._trouble(f"delete {len(paths)} keys from {paths[0][len(self._root) + 1 :]!r} on"):
            self._driver.delete(self._files, paths)

    def close(self) -> None:
        """See `Backend.close`. Drivers let go of their connections when they are let go of."""
        self._files = None

    # ------------------------------------------------------------ the driver

    def _path(self, key: str) -> str:
        return f"{self._root}/{checked_key(key)}"

    def _present(self, look: Callable[[], Any]) -> Any:
        """What a look gives, or None if the key is absent. That the bucket is absent is trouble."""
        try:
            return look()
        except _ABSENT as error:
            if no_container(error):
                raise
            return None

    def _trouble(self, doing: str) -> _Trouble:
        return _Trouble(f"{doing} at {self._place}", self._secrets)


class _Trouble:
    """Whatever a driver raises in the block is trouble: they raise errors of many libraries, none known here."""

    def __init__(self, doing: str, secrets: tuple[str, ...]) -> None:
        self._doing = doing
        self._secrets = secrets

    def __enter__(self) -> None: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if isinstance(error, Exception) and not isinstance(error, DaggrError):
            raise sync_error(error, self._doing, self._secrets) from shown(error, self._secrets)


def _connect(url: str, options: Mapping[str, Any], attributes: Mapping[str, Any]) -> tuple[Files, str]:
    """The file system, not shared with anybody, and the path in it."""
    files, root = fsspec.core.url_to_fs(url, skip_instance_cache=True, **options)
    for name, value in attributes.items():
        setattr(files, name, value)
    return files, root


def _require(scheme: str, driver: Driver) -> None:
    if scheme not in fsspec.available_protocols():
        known = sorted(set(DRIVERS) | set(fsspec.available_protocols()))
        raise ConfigError(
            f"Unknown kind of remote: {scheme}://.",
            did_you_mean(scheme, known)
            or "Valid are a folder, s3://, gs://, az://, sftp:// and what else fsspec knows.",
        )
    try:
        fsspec.get_filesystem_class(scheme)
    except ImportError as error:
        todo = f"Run `pip install {driver.install}`." if driver.install else str(error)
        raise ConfigError(f"{scheme}:// remotes need a package that is not installed.", todo) from error


def _secret_texts(options: Mapping[str, Any]) -> Iterator[str]:
    """Option values that must not be seen, nested ones included."""
    for name, value in options.items():
        if isinstance(value, Mapping):
            yield from _secret_texts(value)
        elif isinstance(value, str) and len(value) > 3 and name.lower().endswith(_SECRET_OPTIONS):
            yield value


def _raise_unless_absent(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError) or no_container(error):
        raise error
