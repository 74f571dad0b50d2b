"""An engine over a store of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from daggr.engine.engine import Engine
from daggr.store.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "store") as opened:
        yield opened


@pytest.fixture
def engine(store: Store) -> Iterator[Engine]:
    made = Engine(store)
    yield made
    made.close()
