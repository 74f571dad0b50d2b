"""The browser: system Chromium, a fixed window, and no tolerance for anything that goes wrong on a page."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import BrowserContext, ConsoleMessage, Page, WebError

from tests.e2e.browser import ARGUMENTS, executable
from tests.servers import Servers

NO_NETWORK = ("data", "blob", "about")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder is an e2e test."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker("e2e")


@pytest.fixture(scope="session")
def base_url() -> None:
    """None: a test says which server it visits. In place of the plugin's fixture, whose form pytest 9 warns about."""


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    """`DAGGR_CHROMIUM`, else the system's Chromium or Chrome, else playwright's own."""
    system = executable()
    return browser_type_launch_args | {"args": ARGUMENTS} | ({"executable_path": system} if system else {})


@pytest.fixture(scope="session")
def browser_context_args(browser_context_args: dict[str, Any]) -> dict[str, Any]:
    """A wide window in which nothing moves by itself."""
    return browser_context_args | {"reduced_motion": "reduce", "viewport": {"width": 1600, "height": 1000}}


class PageProblems:
    """What went wrong on the pages of a test: exceptions, console errors, requests to strangers."""

    def __init__(self, servers: Servers) -> None:
        self.servers = servers
        self.found: list[str] = []
        self.expected: list[re.Pattern[str]] = []

    def expect(self, pattern: str) -> None:
        """Let pass what matches, such as the 422 that this test provokes."""
        self.expected.append(re.compile(pattern))

    def left(self) -> list[str]:
        """What nobody expected."""
        return [text for text in self.found if not any(pattern.search(text) for pattern in self.expected)]

    def watch(self, context: BrowserContext) -> None:
        """Listen to every page of a context, now and later."""
        context.on("weberror", self._on_error)
        context.on("console", self._on_console)
        context.on("request", lambda request: self._on_request(request.url))
        context.on("page", self._on_page)

    def _on_page(self, page: Page) -> None:
        page.on("websocket", lambda socket: self._on_request(socket.url))
        page.on("crash", lambda crashed: self.found.append(f"crash of {crashed.url}"))

    def _on_error(self, error: WebError) -> None:
        self.found.append(f"page error: {error.error.stack or error.error}")

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.found.append(f"console error: {message.text} ({message.location.get('url', '')})")

    def _on_request(self, url: str) -> None:
        parts = urlsplit(url)
        origin = f"{parts.scheme.replace('ws', 'http')}://{parts.netloc}"
        if parts.scheme not in NO_NETWORK and origin not in self.servers.origins():
            self.found.append(f"request to a stranger: {url}")


@pytest.fixture(autouse=True)
def page_problems(serve: Servers) -> Iterator[PageProblems]:
    """Fails the test when something goes wrong on one of its pages; `page_problems.expect(regex)` lets one pass."""
    problems = PageProblems(serve)
    yield problems
    if left := problems.left():
        pytest.fail("\n".join(left), pytrace=False)


@pytest.fixture
def new_context(
    new_context: Callable[..., BrowserContext], page_problems: PageProblems
) -> Callable[..., BrowserContext]:
    """pytest-playwright's, with every context watched; `page` and `context` come from it."""

    def watched(**options: Any) -> BrowserContext:
        context = new_context(**options)
        page_problems.watch(context)
        return context

    return watched
