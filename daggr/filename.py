"""File names that are safe on every system."""

from __future__ import annotations

import re

STEM_BYTES = 100
EXTENSION_BYTES = 16


def safe_name(name: str) -> str:
    """A base name without separators, control or reserved characters; short enough for any disk, and never empty."""
    text = name.encode("utf-8", "replace").decode()
    base = re.sub(r'[\x00-\x1f<>:"/\\|?*]', "_", text.replace("\\", "/").rpartition("/")[2]).strip(" .")
    stem, dot, extension = base.rpartition(".")
    if not dot or len(extension.encode()) > EXTENSION_BYTES:
        return _cut(base) or "file"
    return f"{_cut(stem) or 'file'}.{extension}"


def _cut(text: str) -> str:
    return text.encode()[:STEM_BYTES].decode(errors="ignore").rstrip(" .")
