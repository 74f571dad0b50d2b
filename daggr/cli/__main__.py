"""`python -m daggr.cli`."""

from __future__ import annotations

from daggr.cli.main import main

main()
