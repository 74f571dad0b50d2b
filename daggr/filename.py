"""File names that are safe on every system."""

from __future__ import annotations

import re


def safe_name(name: str) -> str:
    """A base name without separators, control or reserved characters, of at most 120 characters and never empty."""
    base = re.sub(r'[\x00-\x1f<>:"/\\|?*]', "_", name.replace("\\", "/").rpartition("/")[2]).strip(" .")
    stem, dot, extension = base.rpartition(".")
    if dot and len(extension) <= 16:
        return f"{stem[:100] or 'file'}.{extension}"
    return base[:120] or "file"
