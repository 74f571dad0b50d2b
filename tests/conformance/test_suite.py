"""Every backend, and each with faults, keeps the contract."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import pytest
from aiobotocore.session import AioSession

from daggr.store.backends.base import Backend
from daggr.store.backends.deadline import Deadline
from daggr.store.backends.drivers import DRIVERS
from daggr.store.backends.faulty import Faulty
from daggr.store.backends.local import LocalBackend
from daggr.store.backends.memory import MemoryBackend
from daggr.store.backends.open import open_backend
from daggr.store.backends.retry import Retrying
from daggr.store.backends.url import UrlBackend
from daggr.testing import MIB, BackendSuite

NAMES = itertools.count()
FEW = replace(DRIVERS["s3"], batch=10)
"""S3 with small batches, so that few requests show how they are split."""

SESSION = AioSession()
"""Shared, since each new one reads botocore's descriptions of the service anew."""


def stubborn(backend: Backend, seed: int) -> Backend:
    """A backend that fails one time in four, and a wrapper that does not mind."""
    return Retrying(Faulty(backend, seed=seed, rate=0.25), attempts=20, sleep=lambda seconds: None)


class TestLocal(BackendSuite):
    def make_backend(self, folder: Path) -> Backend:
        return open_backend(folder / "remote")


class TestMemory(BackendSuite):
    def make_backend(self, folder: Path) -> Backend:
        return MemoryBackend()


class TestMemoryUrl(BackendSuite):
    def make_backend(self, folder: Path) -> Backend:
        return open_backend(f"memory://conformance-{next(NAMES)}/remote")


class TestFileUrl(BackendSuite):
    """Folders through fsspec, as SFTP servers are: written aside, moved, walked."""

    def make_backend(self, folder: Path) -> Backend:
        return UrlBackend(f"file://{folder.as_posix()}/remote")


class Slow(BackendSuite):
    """Real requests take milliseconds, so fewer of them."""

    rounds = 2
    examples = 2
    steps = 8


class TestS3(Slow):
    @pytest.fixture(autouse=True)
    def use(self, bucket: str) -> None:
        self.url = bucket

    def make_backend(self, folder: Path) -> Backend:
        return UrlBackend(self.url, driver=FEW, session=SESSION)


class TestFaultyLocal(BackendSuite):
    large = 10 * MIB
    most_keys = 100

    def make_backend(self, folder: Path) -> Backend:
        return stubborn(LocalBackend(folder / "remote"), seed=1)


class TestFaultyMemory(BackendSuite):
    def make_backend(self, folder: Path) -> Backend:
        return stubborn(MemoryBackend(), seed=2)


@pytest.mark.long
class TestFaultyS3(TestS3):
    large = 10 * MIB
    threads = 4

    def make_backend(self, folder: Path) -> Backend:
        return stubborn(super().make_backend(folder), seed=3)


class TestDeadline(BackendSuite):
    most_keys = 100

    def make_backend(self, folder: Path) -> Backend:
        return Deadline(LocalBackend(folder / "remote"), seconds=60)


class TestAllWrappers(BackendSuite):
    def make_backend(self, folder: Path) -> Backend:
        return Deadline(stubborn(Deadline(MemoryBackend(), seconds=60), seed=4), seconds=60)
