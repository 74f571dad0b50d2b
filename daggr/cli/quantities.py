"""Sizes and times as people write them: `10GB`, `30d`."""

from __future__ import annotations

import re

from daggr.errors import ConfigError

_SIZES = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}
_TIMES = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_NUMBER = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*", re.IGNORECASE)


def size(text: str) -> int:
    """Bytes: `500MB`, `10GB`, `1.5GiB`.

    Raises:
        ConfigError: it is not a size.
    """
    match = _NUMBER.fullmatch(text)
    factor = _SIZES.get(match[2].lower().removesuffix("b")) if match else None
    if match is None or factor is None or (not match[2] and float(match[1])):
        raise ConfigError(f"{text!r} is not a size.", "Write a number with B, kB, MB, GB or TB, such as 10GB.")
    return int(float(match[1]) * factor)


def duration(text: str) -> float:
    """Seconds: `90m`, `12h`, `30d`, `2w`.

    Raises:
        ConfigError: it is not a time.
    """
    match = _NUMBER.fullmatch(text)
    factor = _TIMES.get(match[2].lower()) if match else None
    if match is None or factor is None:
        raise ConfigError(f"{text!r} is not a length of time.", "Write a number with s, m, h, d or w, such as 30d.")
    return float(match[1]) * factor


def shown(count: float) -> str:
    """Bytes for people: `1.2 GB`."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" or count >= 100 else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"
