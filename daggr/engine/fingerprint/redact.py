"""Source texts are kept to show what changed; what looks like a secret in them is not."""

from __future__ import annotations

import re

HIDDEN = "‹hidden›"

_TOKENS = re.compile(
    r"\b(?:hf_|sk-|sk_|gh[pousr]_|github_pat_|glpat-|xox[abeoprs]-|AKIA|ASIA|AIza|ya29\.|eyJ)[A-Za-z0-9_.\-]{6,}"
)
_NAMED = re.compile(
    r"""(?ix)
    (\b(?:\w*_)?(?:token|secret|passw(?:or)?d|api_?key|credentials?)(?:_\w+)?["']?\s*
    (?::\s*\w+\s*)?[:=]\s*[rbuf]*)
    ("{3}.*?"{3} | '{3}.*?'{3} | "(?:[^"\\\n]|\\.)+" | '(?:[^'\\\n]|\\.)+')""",
    re.DOTALL,
)


def redacted(text: str) -> str:
    """A source text without tokens of known kinds, and without texts given to what is named like a secret."""
    text = _NAMED.sub(lambda found: f"{found[1]}{found[2][0]}{HIDDEN}{found[2][-1]}", text)
    return _TOKENS.sub(HIDDEN, text)
