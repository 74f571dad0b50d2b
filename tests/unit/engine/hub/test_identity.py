"""Tokens are sent where they belong, and shown nowhere."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daggr.engine.hub.identity import HIDDEN, NOBODY, Credential, may_know

TOKEN = "hf_0123456789abcdef"
CALLER = Credential(TOKEN, "ip-token-of-a-visitor", personal=True)


def test_a_credential_does_not_tell_its_tokens() -> None:
    assert TOKEN not in repr(CALLER)
    assert "ip-token" not in f"{CALLER}"


@given(st.lists(st.text() | st.just(TOKEN) | st.just(CALLER.ip_token)))
def test_no_text_keeps_a_token_and_all_else_stays(parts: list[str]) -> None:
    clean = CALLER.scrub("".join(parts))
    assert TOKEN not in clean
    assert CALLER.ip_token not in clean
    assert CALLER.scrub(clean) == clean
    plain = "".join(part for part in parts if part not in (TOKEN, CALLER.ip_token))
    assert NOBODY.scrub(plain) == plain


@given(st.lists(st.text("hf_0123", max_size=5) | st.just(TOKEN), max_size=6))
def test_a_text_that_comes_in_pieces_never_shows_a_part_of_a_token(parts: list[str]) -> None:
    whole = "".join(parts) + "."
    clean = CALLER.scrub(whole)
    for cut in range(len(whole)):
        assert clean.startswith(CALLER.scrub_growing(whole[:cut]))
    assert CALLER.scrub_growing(whole) == clean, "at its end nothing is held back"


json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.just(f"is {TOKEN}!"),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.just(TOKEN), inner),
)


@given(json_like)
def test_values_are_cleaned_everywhere(value: object) -> None:
    clean = CALLER.scrub_all(value)
    assert TOKEN not in json.dumps(clean, ensure_ascii=False)
    if TOKEN not in json.dumps(value, ensure_ascii=False):
        assert clean == value
    assert json.dumps(clean).count(HIDDEN) <= json.dumps(value).count(TOKEN) + json.dumps(value).count(HIDDEN)


@pytest.mark.parametrize(
    ("url", "is_theirs"),
    [
        ("https://owner-name.hf.space", True),
        ("https://owner-name.hf.space:443/x", True),
        ("http://owner-name.hf.space", False),
        ("https://hf.space.example.com", False),
        ("https://evil-hf.space.example.com/a.hf.space", False),
        ("https://example.com/?a=.hf.space", False),
        ("https://user@example.com#.hf.space", False),
        ("http://127.0.0.1:7860", False),
    ],
)
def test_only_spaces_may_know_a_token(url: str, is_theirs: bool) -> None:
    assert may_know(url) is is_theirs
