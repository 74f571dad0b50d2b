"""The command line."""

from __future__ import annotations

from daggr.cli.main import main

__all__ = ["main"]
