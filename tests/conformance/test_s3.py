"""What only an S3 service can show: refusals, overload, silence."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import s3fs

from daggr.errors import SyncError
from daggr.store.backends.base import Backend, Item
from daggr.store.backends.deadline import Deadline
from daggr.store.backends.drivers import DRIVERS, PART, upload_part
from daggr.store.backends.open import open_backend
from daggr.store.backends.retry import Retrying
from daggr.store.backends.url import UrlBackend
from daggr.testing import MIB
from tests.conformance.scripted import Scripted

ONCE = {"retries": {"total_max_attempts": 1}}
"""The driver's own attempts, so that ours show."""

SECRET = "wJalrXUtnFEMIexample"


def scripted_backend(server: Scripted, aws: Callable[[str], None], *answers: tuple[int, str, str]) -> Backend:
    aws(server.url)
    server.answers.extend(answers)
    return open_backend("s3://bucket/remote", config_kwargs=ONCE)


def test_two_503_then_success(scripted: Scripted, aws: Callable[[str], None]) -> None:
    busy = (503, "SlowDown", "Please reduce your request rate.")
    pauses: list[float] = []
    backend = Retrying(scripted_backend(scripted, aws, busy, busy), sleep=pauses.append, random=lambda: 1.0)
    scripted.body = b"value"
    assert backend.get("key") == b"value"
    assert scripted.requests == ["GET /bucket/remote/key"] * 3
    assert pauses == [0.5, 1.0]
    backend.close()


@pytest.mark.parametrize(
    ("answer", "retryable", "word"),
    [
        ((403, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist."), False, "credentials"),
        ((403, "SignatureDoesNotMatch", "The signature does not match."), False, "credentials"),
        ((403, "AccessDenied", "Access Denied"), False, "right"),
        ((404, "NoSuchBucket", "The specified bucket does not exist"), False, "bucket"),
        ((403, "RequestTimeTooSkewed", "The difference is too large."), False, "clock"),
        ((429, "TooManyRequests", "slow"), True, "busy"),
        ((500, "InternalError", "We encountered an internal error."), True, "busy"),
        ((503, "SlowDown", "Please reduce your request rate."), True, "busy"),
        ((599, "Strange", "from a proxy"), True, "busy"),
    ],
)
def test_answers(
    scripted: Scripted, aws: Callable[[str], None], answer: tuple[int, str, str], retryable: bool, word: str
) -> None:
    backend = scripted_backend(scripted, aws, answer, answer)
    with pytest.raises(SyncError) as raised:
        backend.get("key")
    assert raised.value.retryable is retryable
    assert word in raised.value.hint
    assert "s3://bucket/remote" in raised.value.message
    with pytest.raises(SyncError):
        backend.put_many([Item("key", b"value")])
    backend.close()


def test_a_refused_connection_is_retryable(aws: Callable[[str], None]) -> None:
    aws("http://127.0.0.1:9")  # nobody listens there
    backend = open_backend("s3://bucket/remote", config_kwargs=ONCE)
    with pytest.raises(SyncError) as raised:
        backend.get("key")
    assert raised.value.retryable
    backend.close()


def test_a_delete_that_is_refused_for_one_key_is_an_error(scripted: Scripted, aws: Callable[[str], None]) -> None:
    backend = scripted_backend(scripted, aws)
    scripted.body = (
        b"<DeleteResult><Error><Key>remote/b</Key><Code>AccessDenied</Code><Message>no</Message></Error></DeleteResult>"
    )
    with pytest.raises(SyncError, match="remote/b") as raised:
        backend.delete_many(["a", "b"])
    assert not raised.value.retryable
    assert len(scripted.requests) == 1
    backend.close()


def test_no_bucket_is_permanent_for_every_verb(bucket: str, tmp_path: Path) -> None:
    backend = open_backend("s3://no-such-bucket/remote")
    calls: list[Callable[[], Any]] = [
        lambda: backend.get("key"),
        lambda: backend.stat("key"),
        lambda: list(backend.list()),
        lambda: list(backend.list("idx/")),
        lambda: backend.fetch("key", tmp_path / "file"),
        lambda: backend.put_many([Item("key", b"")]),
        lambda: backend.delete_many(["key"]),
    ]
    for call in calls:
        with pytest.raises(SyncError) as raised:
            call()
        assert not raised.value.retryable
        assert "bucket" in raised.value.hint
    backend.close()


def test_secrets_are_never_shown(scripted: Scripted, aws: Callable[[str], None]) -> None:
    aws(scripted.url)
    scripted.answers.append((403, "SignatureDoesNotMatch", f"You signed with {SECRET} or {SECRET.upper()}."))
    options = {"secret": SECRET, "client_kwargs": {"aws_session_token": SECRET.upper()}}
    backend = open_backend("s3://bucket/remote", key="AKIDEXAMPLE", config_kwargs=ONCE, **options)
    with pytest.raises(SyncError) as raised:
        backend.get("key")
    assert SECRET.lower() not in str(raised.value).lower()
    assert raised.value.__cause__ is None
    backend.close()


def test_large_files_go_in_parts_and_small_values_in_one_request(bucket: str, tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(bytes(2 * PART + 1))
    backend = open_backend(bucket)
    backend.put_many([Item("large", tmp_path / "large"), Item("small", b"1")])
    files = s3fs.S3FileSystem(skip_instance_cache=True)
    assert files.info(f"{bucket}/large")["ETag"].endswith('-3"')  # so many parts
    assert "-" not in files.info(f"{bucket}/small")["ETag"]
    backend.close()


def test_parts_grow_with_the_file() -> None:
    assert upload_part(100 * MIB) == PART
    assert 100_000 * MIB / upload_part(100_000 * MIB) <= 10_000
    assert DRIVERS["s3"].batch == 1000


def test_others_changes_are_seen_at_once(bucket: str) -> None:
    mine, other = open_backend(bucket), open_backend(bucket)
    assert list(mine.list()) == []
    assert mine.stat("key") is None
    other.put_many([Item("key", b"1")])
    assert [stat.key for stat in mine.list()] == ["key"]
    assert mine.stat("key") is not None
    other.delete_many(["key"])
    assert list(mine.list()) == []
    assert mine.get("key") is None
    mine.close()
    other.close()


@pytest.mark.parametrize("verb", ["get", "put", "list"])
def test_a_black_hole_ends_within_the_deadline(black_hole: str, aws: Callable[[str], None], verb: str) -> None:
    aws(black_hole)
    timeouts = {"connect_timeout": 1, "read_timeout": 1, "retries": {"total_max_attempts": 2}}
    impatient = replace(DRIVERS["s3"], patience=lambda size: 2)
    backend = Deadline(UrlBackend("s3://bucket/remote", driver=impatient, config_kwargs=timeouts), seconds=1.5)
    calls: dict[str, Callable[[], Any]] = {
        "get": lambda: backend.get("key"),
        "put": lambda: backend.put_many([Item("key", b"1"), Item("b", b"2")], last=[Item("last", b"")]),
        "list": lambda: list(backend.list("key")),
    }
    start = time.monotonic()
    with pytest.raises(SyncError, match=r"key.* 1\.5 s") as raised:
        calls[verb]()
    assert time.monotonic() - start < 1.5 * 1.2
    assert raised.value.retryable
    for thread in threading.enumerate():  # they end by themselves, after the driver's own timeouts
        if thread.name.startswith("daggr-"):
            assert thread.daemon
            thread.join(20)
            assert not thread.is_alive()
    backend.close()
