"""How to run a single world of the simulation again."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--world", type=int, help="simulate the world of this seed only; give tests/simulation as path")
