"""Where daggr keeps what it makes, for scripts that put files of their own there."""

from __future__ import annotations

from pathlib import Path

from daggr import config


def get_daggr_cache_dir() -> Path:
    """The folder `daggr` in the Hugging Face home (`HF_HOME`); it is there after the call."""
    folder = config.cache_folder()
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def get_daggr_files_dir() -> Path:
    """A folder for files within that folder; it is there after the call."""
    folder = get_daggr_cache_dir() / "files"
    folder.mkdir(exist_ok=True)
    return folder
