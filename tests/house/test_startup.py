"""A script that imports daggr waits for nothing it may not need."""

from __future__ import annotations

import json
import subprocess
import sys

from tests.house.source import ROOT

HEAVY = (
    "gradio",
    "gradio_client",
    "huggingface_hub",
    "httpx",
    "litestar",
    "uvicorn",
    "lmdb",
    "fsspec",
    "typer",
    "rich",
    "numpy",
)


def test_importing_daggr_imports_nothing_heavy() -> None:
    code = "import json, sys, daggr; print(json.dumps(sorted(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = set(HEAVY) & set(json.loads(result.stdout))
    assert not loaded, f"`import daggr` also imports {sorted(loaded)}"
