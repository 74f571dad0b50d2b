"""The command line's words for scripts."""

from __future__ import annotations

from pathlib import Path

from daggr.engine.script import load_script as load_script
from daggr.errors import ConfigError, did_you_mean

COMMANDS = ("gc", "fsck", "store")


def unknown_word(word: str) -> ConfigError | None:
    """An error for a word that is no script, such as a command that this version does not have."""
    if word.endswith(".py") or "/" in word or "\\" in word or Path(word).exists():
        return None
    hint = did_you_mean(word, COMMANDS) or f"Commands: {', '.join(COMMANDS)}. To serve a script: daggr app.py"
    return ConfigError(f"daggr has no command {word!r} and there is no such script.", hint)
