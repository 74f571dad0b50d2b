"""Which browser, and how it is started."""

from __future__ import annotations

import os
import shutil

NAMES = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def executable() -> str | None:
    """`DAGGR_CHROMIUM`, else the system's Chromium or Chrome, else None: playwright's own."""
    return os.environ.get("DAGGR_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
