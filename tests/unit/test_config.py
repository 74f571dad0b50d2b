"""Settings: an argument wins over the environment, which wins over the default."""

from __future__ import annotations

from pathlib import Path

import pytest

from daggr import config
from daggr.errors import ConfigError, did_you_mean


@pytest.mark.parametrize(
    ("environ", "store"),
    [
        ({"DAGGR_STORE": "/a", "DAGGR_DB_PATH": "/b.db", "HF_HOME": "/c"}, "/a"),
        ({"DAGGR_DB_PATH": "/b.db", "HF_HOME": "/c"}, "/b.db.store"),
        ({"HF_HOME": "/c", "XDG_CACHE_HOME": "/d"}, "/c/daggr/store"),
        ({"XDG_CACHE_HOME": "/d"}, "/d/huggingface/daggr/store"),
        ({}, "~/.cache/huggingface/daggr/store"),
        ({"DAGGR_STORE": ""}, "~/.cache/huggingface/daggr/store"),
    ],
)
def test_the_store_is_where_the_first_variable_says(environ: dict[str, str], store: str) -> None:
    assert config.load(environ=environ).store == Path(store).expanduser()
    assert config.load(store="/given", environ=environ).store == Path("/given")


def test_an_argument_wins_over_every_variable() -> None:
    environ = {"DAGGR_SERVER_PORT": "1", "GRADIO_SERVER_PORT": "2", "GRADIO_SERVER_NAME": "0.0.0.0"}
    assert config.load(environ={}).port == config.DEFAULT_PORT
    assert config.load(environ={}).host == "127.0.0.1"
    assert config.load(environ={"GRADIO_SERVER_PORT": "2"}).port == 2
    assert config.load(environ=environ).port == 1
    assert config.load(port=0, environ=environ).port == 0
    assert config.load(environ=environ).host == "0.0.0.0"
    assert config.load(host="localhost", environ=environ).host == "localhost"


@pytest.mark.parametrize("name", ["DAGGR_SERVER_PORT", "GRADIO_SERVER_PORT", "DAGGR_NUM_PORTS"])
@pytest.mark.parametrize("text", ["x", "-1", "1.5", "65536", " "])
def test_a_variable_that_is_no_port_is_named_with_what_it_holds(name: str, text: str) -> None:
    with pytest.raises(ConfigError, match=f"{name}={text!r}"):
        config.load(environ={name: text})


@pytest.mark.parametrize(
    ("given", "suggested"),
    [("promt", "prompt"), ("PROMPT", "prompt"), ("widht", "width"), ("zebra", ""), ("", "")],
)
def test_the_closest_valid_name_is_suggested_if_one_is_close(given: str, suggested: str) -> None:
    assert did_you_mean(given, ["width", "prompt", "seed"]) == (f"Did you mean '{suggested}'?" if suggested else "")


def test_the_durability_is_full_unless_the_variable_says_relaxed() -> None:
    assert config.load(environ={}).durability == "full"
    assert config.load(environ={"DAGGR_DURABILITY": "relaxed"}).durability == "relaxed"
    with pytest.raises(ConfigError, match="DAGGR_DURABILITY='fast' is neither 'full' nor 'relaxed'"):
        config.load(environ={"DAGGR_DURABILITY": "fast"})


def test_what_is_done_about_changed_spaces_is_one_of_three_words_or_asked() -> None:
    assert config.load(environ={}).dependency_check == "ask"
    for word in ("skip", "update", "error"):
        assert config.load(environ={"DAGGR_DEPENDENCY_CHECK": word.upper()}).dependency_check == word
    with pytest.raises(ConfigError, match=r"DAGGR_DEPENDENCY_CHECK='updat' is none of .*\nDid you mean 'update'"):
        config.load(environ={"DAGGR_DEPENDENCY_CHECK": "updat"})
