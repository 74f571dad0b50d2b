"""The watch itself: a page that goes wrong is seen."""

from __future__ import annotations

import pytest
from playwright.sync_api import BrowserContext, Page

from tests.e2e.conftest import PageProblems


@pytest.mark.parametrize(
    ("html", "seen"),
    [
        ("<script>throw new Error('boom')</script>", "page error: Error: boom"),
        ("<script>console.error('bad')</script>", "console error: bad"),
        ("<script>new WebSocket('ws://127.0.0.1:59999/')</script>", "request to a stranger: ws://127.0.0.1:59999/"),
        ("<img src='http://127.0.0.1:59999/x.png'>", "request to a stranger: http://127.0.0.1:59999/x.png"),
    ],
)
def test_what_goes_wrong_is_seen(context: BrowserContext, page_problems: PageProblems, html: str, seen: str) -> None:
    page_problems.expect("")
    page = context.new_page()
    page.set_content(html)
    for _ in range(100):
        if any(found.startswith(seen) for found in page_problems.found):
            return
        page.wait_for_timeout(20)
    pytest.fail(f"only saw {page_problems.found}")


def test_a_quiet_page_passes(page: Page, page_problems: PageProblems) -> None:
    page.set_content("<h1>Quiet</h1><script>console.log('fine')</script><img src='data:,'>")
    assert page.viewport_size == {"width": 1600, "height": 1000}
    assert page_problems.found == []
