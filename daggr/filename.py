"""Texts that can be written everywhere: file names above all."""

from __future__ import annotations

import re

STEM_BYTES = 100
EXTENSION_BYTES = 16
_DEVICE = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\.|$)", re.IGNORECASE)
"""Names that Windows takes for devices."""


def readable(text: str) -> str:
    """A text that can be written anywhere: what is no character, as in odd file names, becomes `?`."""
    return text.encode("utf-8", "replace").decode()


def safe_name(name: str) -> str:
    """A base name without separators, control or reserved characters; short enough for any disk, and never empty."""
    text = readable(name)
    base = re.sub(r'[\x00-\x1f<>:"/\\|?*]', "_", text.replace("\\", "/").rpartition("/")[2]).strip(" .")
    if _DEVICE.match(base):
        base = f"_{base}"
    stem, dot, extension = base.rpartition(".")
    if not dot or len(extension.encode()) > EXTENSION_BYTES:
        return _cut(base) or "file"
    return f"{_cut(stem) or 'file'}.{extension}"


def _cut(text: str) -> str:
    return text.encode()[:STEM_BYTES].decode(errors="ignore").rstrip(" .")
