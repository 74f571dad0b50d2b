"""Pictures for the documents, made by the real thing: the offline example, run in Chromium, light and dark.

python -m tests.e2e.screenshots
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Literal

from playwright.sync_api import expect, sync_playwright

from tests.e2e.browser import ARGUMENTS, executable
from tests.servers import Servers

ROOT = Path(__file__).resolve().parents[2]
IMAGES = ROOT / "docs" / "images"
EXAMPLE = ROOT / "examples" / "postcards.py"
SCHEMES: dict[Literal["light", "dark"], str] = {"light": "postcards.png", "dark": "postcards-dark.png"}


def main() -> None:
    """Serve the example, run everything in it, and take its pictures."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="daggr-screenshots-"))
    servers = Servers(folder)
    try:
        url = servers(EXAMPLE).url
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=executable(), args=ARGUMENTS)
            for scheme, name in SCHEMES.items():
                page = browser.new_page(
                    viewport={"width": 1600, "height": 900}, color_scheme=scheme, reduced_motion="reduce"
                )
                page.goto(url)
                run_all = page.get_by_role("button", name="Run all")
                if run_all.is_enabled():
                    run_all.click()
                expect(page.locator("[data-card][data-fresh=false]")).to_have_count(0, timeout=30_000)
                page.wait_for_timeout(1500)  # pictures arrive, cards make room, the view follows
                page.screenshot(path=IMAGES / name)
                sys.stdout.write(f"docs/images/{name}\n")
            browser.close()
    finally:
        servers.stop()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
