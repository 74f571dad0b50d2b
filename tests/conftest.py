"""Isolation: no test sees the machine's home, tokens, caches or network settings, and none leaves anything there.

Gradio and huggingface_hub read their variables when they are imported, so the environment is set here, before any test
module is. Each test then gets a home and a store of its own.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import shutil
import sys
import tempfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from daggr.testing.apps import GradioApp, loopback
from tests.servers import Servers, isolated_environment

if TYPE_CHECKING:
    from daggr.testing.hub import FakeHub
    from daggr.testing.proxy import FaultProxy
ROOM = Path(tempfile.mkdtemp(prefix="daggr-tests-"))
NUMBERS = itertools.count()
PER_TEST = ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "HF_HOME", "DAGGR_STORE", "GRADIO_TEMP_DIR")


def _browsers() -> str:
    """Where playwright keeps its browsers; it would look in the home that tests don't have."""
    cache = Path("~/Library/Caches" if sys.platform == "darwin" else "~/.cache")
    return os.environ.get("PLAYWRIGHT_BROWSERS_PATH") or str(cache.expanduser() / "ms-playwright")


def _isolate() -> None:
    environment = isolated_environment(ROOM) | {"PLAYWRIGHT_BROWSERS_PATH": _browsers()}
    os.environ.clear()
    os.environ.update(environment)


_isolate()


@contextmanager
def _without_the_browsers_loop(item: pytest.Item) -> Iterator[None]:
    """Playwright's loop runs in the main thread from the first browser test on; other tests have loops of their own."""
    loop = None if "e2e" in item.path.parts else asyncio._get_running_loop()
    if loop is not None:
        asyncio._set_running_loop(None)
    try:
        yield
    finally:
        if loop is not None:
            asyncio._set_running_loop(loop)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, object, object]:
    with _without_the_browsers_loop(item):
        return (yield)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    with _without_the_browsers_loop(item):
        return (yield)


def pytest_unconfigure() -> None:
    """Leave nothing behind."""
    shutil.rmtree(ROOM, ignore_errors=True)


@pytest.fixture(autouse=True)
def own_home(monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home, caches and a store for this test alone."""
    home = ROOM / f"test-{next(NUMBERS)}"
    home.mkdir()
    environment = isolated_environment(home)
    for name in PER_TEST:
        monkeypatch.setenv(name, environment[name])
    return home


@pytest.fixture(autouse=True)
def no_old_readings() -> Iterator[None]:
    """Each engine that closes looks at all functions that its process knows: not at those of other tests."""
    yield
    if (reading := sys.modules.get("daggr.engine.fingerprint.reading")) is not None:
        reading._readings.clear()


@pytest.fixture(scope="session")
def serve() -> Iterator[Servers]:
    """`serve(script)` starts `daggr script` on a free port, with a store of its own; see `tests.servers`."""
    servers = Servers(ROOM / "servers")
    yield servers
    servers.stop()


@pytest.fixture(scope="session")
def gradio_app() -> Iterator[GradioApp]:
    """A real Gradio app with every kind of endpoint; started once, since Gradio takes seconds to import."""
    folder = ROOM / "apps" / "loopback"
    with loopback(folder, env=isolated_environment(folder)) as app:
        yield app


@pytest.fixture
def hub() -> Iterator[FakeHub]:
    """A fake Hub, which huggingface_hub speaks with. `hub.token` is ada's; nobody is logged in until a test says so."""
    from daggr.testing.hub import FakeHub  # it imports huggingface_hub, which must not come before `_isolate()`

    with FakeHub() as fake, fake.patched():
        fake.add_user("hf_testAdaAdaAdaAdaAdaAda", "ada")
        yield fake


@pytest.fixture
def proxy(gradio_app: GradioApp) -> Iterator[FaultProxy]:
    """A proxy before `gradio_app`, without faults until a test sets some."""
    from daggr.testing.proxy import FaultProxy

    with FaultProxy(gradio_app.url) as fault_proxy:
        yield fault_proxy
