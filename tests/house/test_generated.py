"""What is generated is fresh."""

from __future__ import annotations

import subprocess
import sys

from tests.house.source import ROOT


def test_typescript_types_are_those_of_the_wire_contract() -> None:
    command = [sys.executable, str(ROOT / "static" / "tools" / "wire_types.py"), "--check"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
