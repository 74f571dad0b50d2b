"""Settings: the only reader of environment variables and defaults.

A setting given as an argument wins over the environment, which wins over the default.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from daggr.errors import ConfigError, did_you_mean

DependencyCheck = Literal["ask", "skip", "update", "error"]
"""What is done at launch about Spaces and models that have changed."""

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 7860
DEFAULT_PORTS_TRIED = 100
MAX_PORT = 65535


@dataclass(frozen=True)
class Settings:
    """Where things are and how the server listens.

    Attributes:
        store: Folder of the artifact store.
        host: Address to listen on.
        port: First port to try; 0 takes any free one.
        ports_tried: How many ports are tried from `port` on when it is taken.
        durability: `full` waits for the disk before a result is acknowledged, `relaxed` does not.
        dependency_check: What happens at launch when a Space or model has another commit than the one recorded: `ask`
            (on a terminal; else like `update`), `update` accepts and reports it, `error` ends, `skip` does not look.
    """

    store: Path
    host: str = DEFAULT_HOST
    port: int = DEFAULT_PORT
    ports_tried: int = DEFAULT_PORTS_TRIED
    durability: Literal["full", "relaxed"] = "full"
    dependency_check: DependencyCheck = "ask"


def load(
    *,
    store: str | os.PathLike[str] | None = None,
    host: str | None = None,
    port: int | None = None,
    environ: Mapping[str, str] | None = None,
) -> Settings:
    """Settings from arguments, environment and defaults, in this order.

    Raises:
        ConfigError: a variable does not hold what it should.
    """
    env = os.environ if environ is None else environ
    port_name, port_text = _first(env, "DAGGR_SERVER_PORT", "GRADIO_SERVER_PORT")
    return Settings(
        store=Path(store).expanduser() if store is not None else _store(env),
        host=host or _first(env, "GRADIO_SERVER_NAME")[1] or DEFAULT_HOST,
        port=_port(port) if port is not None else _whole(port_name, port_text, DEFAULT_PORT, MAX_PORT),
        ports_tried=_whole("DAGGR_NUM_PORTS", env.get("DAGGR_NUM_PORTS", ""), DEFAULT_PORTS_TRIED, MAX_PORT),
        durability=_durability(env.get("DAGGR_DURABILITY") or "full"),
        dependency_check=_dependency_check(env.get("DAGGR_DEPENDENCY_CHECK", "")),
    )


def _store(env: Mapping[str, str]) -> Path:
    if given := env.get("DAGGR_STORE"):
        return Path(given).expanduser()
    if given := env.get("DAGGR_DB_PATH"):
        return Path(f"{given}.store").expanduser()
    return cache_folder(env) / "store"


def cache_folder(environ: Mapping[str, str] | None = None) -> Path:
    """The folder `daggr` in the Hugging Face home."""
    env = os.environ if environ is None else environ
    cache = env.get("XDG_CACHE_HOME") or "~/.cache"
    home = env.get("HF_HOME") or f"{cache}/huggingface"
    return Path(home).expanduser() / "daggr"


def _durability(given: str) -> Literal["full", "relaxed"]:
    match given:
        case "full" | "relaxed":
            return given
        case _:
            raise ConfigError(f"DAGGR_DURABILITY={given!r} is neither 'full' nor 'relaxed'.")


def _dependency_check(given: str) -> DependencyCheck:
    match given.strip().lower():
        case "":
            return "ask"
        case "skip" | "update" | "error" as asked:
            return asked
        case _:
            raise ConfigError(
                f"DAGGR_DEPENDENCY_CHECK={given!r} is none of 'skip', 'update', 'error'.",
                did_you_mean(given.lower(), ("skip", "update", "error")),
            )


def _first(env: Mapping[str, str], *names: str) -> tuple[str, str]:
    return next(((name, env[name]) for name in names if env.get(name)), (names[0], ""))


def _port(given: object) -> int:
    if type(given) is not int or not 0 <= given <= MAX_PORT:
        raise ConfigError(f"A port is a whole number from 0 (any free one) to {MAX_PORT}; given: {given!r}.")
    return given


def _whole(name: str, text: str, default: int, most: int) -> int:
    if not text:
        return default
    if not text.isdecimal() or int(text) > most:
        raise ConfigError(f"{name}={text!r} is not a whole number from 0 to {most}.")
    return int(text)
