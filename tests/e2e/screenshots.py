"""Pictures of the examples for the documents, one a script, in docs/images.

python -m tests.e2e.screenshots                       all of examples/*.py
python -m tests.e2e.screenshots examples/podcast.py   only this one
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.e2e.browser import ARGUMENTS, executable
from tests.servers import Servers

ROOT = Path(__file__).resolve().parents[2]
IMAGES = ROOT / "docs" / "images"


def main(scripts: list[Path]) -> None:
    """Serve each script and take its picture."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="daggr-screenshots-"))
    servers = Servers(folder)
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=executable(), args=ARGUMENTS)
            page = browser.new_page(viewport={"width": 1600, "height": 1000}, reduced_motion="reduce")
            for script in scripts:
                page.goto(servers(script).url)
                page.wait_for_selector(".svelte-flow__node")
                page.wait_for_load_state("load")
                page.screenshot(path=IMAGES / f"{script.stem}.png")
                sys.stdout.write(f"docs/images/{script.stem}.png\n")
            browser.close()
    finally:
        servers.stop()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main([Path(name) for name in sys.argv[1:]] or sorted((ROOT / "examples").glob("*.py")))
