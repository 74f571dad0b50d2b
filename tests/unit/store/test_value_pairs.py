"""The digest of a value is the value, no more and no less: a result is never taken for another's, nor made twice."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from daggr.digest import UnencodableError
from daggr.store.artifacts import identify
from daggr.store.codecs.codec import pack
from daggr.store.codecs.registry import decode_value
from daggr.store.store import Store
from tests.unit.store.library_pairs import Refused
from tests.unit.store.rooms import keep
from tests.unit.store.value_pairs import DIFFERENT, EQUAL, VALUES, File, digest_of, digests

ROOT = Path(__file__).parents[3]
TAKEN = {name: value for name, value in VALUES.items() if not isinstance(value, Refused)}
REFUSED = {name: value.value for name, value in VALUES.items() if isinstance(value, Refused)}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with Store(tmp_path_factory.mktemp("pairs") / "store") as opened:
        yield opened


@pytest.mark.parametrize("name", DIFFERENT)
def test_what_a_function_could_tell_apart_has_two_digests(store: Store, tmp_path: Path, name: str) -> None:
    taken = [value for value in DIFFERENT[name] if not isinstance(value, Refused)]
    assert len({digest_of(store, value, tmp_path) for value in taken}) == len(taken)
    within = [value for value in taken if not isinstance(value, File)]
    for wrap in (lambda value: [value], lambda value: {"port": (value, 1)}):
        assert len({identify(wrap(value)) for value in within}) == len(within)


@pytest.mark.parametrize("name", EQUAL)
def test_equal_values_have_one_digest_however_they_were_made(store: Store, tmp_path: Path, name: str) -> None:
    one, other = EQUAL[name]
    assert digest_of(store, one, tmp_path) == digest_of(store, other, tmp_path)
    if not isinstance(one, File):
        assert identify({"port": [one]}) == identify({"port": [other]})


@pytest.mark.parametrize("name", REFUSED)
def test_what_the_store_does_not_take_is_refused_within_others_too(name: str) -> None:
    for value in (REFUSED[name], [REFUSED[name]], {"port": (REFUSED[name],)}):
        with pytest.raises(UnencodableError):
            identify(value)


@pytest.mark.parametrize("name", TAKEN)
def test_the_next_function_is_given_the_same_value(store: Store, tmp_path: Path, name: str) -> None:
    value = TAKEN[name]
    if isinstance(value, File):
        put = store.artifacts.stage_file(value.path(tmp_path / "given"))
        store.put([put])
        loaded = Path(store.load(put.digest, tmp_path))
        assert (loaded.name, loaded.read_bytes()) == (value.name, value.content)
        assert store.artifacts.stage_file(loaded).digest == put.digest
        return
    kind = Image.Image if isinstance(value, Image.Image) else type(value)
    loaded = store.load(keep(store, value), tmp_path)
    assert (type(loaded), identify(loaded)) == (kind, identify(value))
    ((within, _),) = store.load(keep(store, [(value, 1)]), tmp_path)
    assert (type(within), identify(within)) == (kind, identify(value))


@pytest.mark.parametrize("name", ["Europe/Paris", "UTC"])
def test_a_zone_that_another_pandas_wrote_is_read(name: str) -> None:
    """pandas before 3 made zones of pytz of names, and daggr writes down only the names."""
    moment = decode_value("pandas scalar", b"".join(pack(("Timestamp", 0, "us", ("pandas", name)))))
    assert (moment.tz_convert("UTC"), str(moment.tz)) == (pd.Timestamp(0, tz="UTC"), name)


def test_another_process_finds_the_same_digests(tmp_path: Path) -> None:
    seed = "1" if os.environ.get("PYTHONHASHSEED") != "1" else "2"
    done = subprocess.run(
        [sys.executable, "-m", "tests.unit.store.value_pairs"],
        cwd=ROOT,
        env=os.environ | {"PYTHONHASHSEED": seed},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    theirs, ours = json.loads(done.stdout), digests(tmp_path)
    assert theirs.keys() == ours.keys() == TAKEN.keys()
    assert {name for name in ours if ours[name] != theirs[name]} == set()
