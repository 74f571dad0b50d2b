"""Who calls: a token for the Hugging Face Hub and its Spaces, which is sent there and never shown.

A token is no part of keys, records, logs, events or errors. What is sent back goes through `Credential.scrub`: an app
could repeat what it was sent.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import huggingface_hub

HIDDEN = "hf_***"
"""What is shown in the place of a token."""

_SHORTEST = 8
_SPACES = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)*\.hf\.space")


@dataclass(frozen=True)
class Credential:
    """Who calls remote apps and models.

    Attributes:
        token: A Hugging Face token; empty for nobody.
        ip_token: What a Space is told of its visitor, for the quotas of ZeroGPU; empty if there is nothing.
        personal: Whether the token is a visitor's own: what it made serves that visitor only.
    """

    token: str = field(default="", repr=False)
    ip_token: str = field(default="", repr=False)
    personal: bool = False

    def headers(self) -> Mapping[str, str]:
        """The headers for a Space. Nobody else is sent them."""
        sent: dict[str, str] = {}
        if self.token:
            sent["x-hf-authorization"] = f"Bearer {self.token}"  # the Hub's door takes it off; the app does not see it
        if self.ip_token:
            sent["x-ip-token"] = self.ip_token
        return sent

    def scrub(self, text: str) -> str:
        """A text without the tokens."""
        for secret in (self.token, self.ip_token):
            if len(secret) >= _SHORTEST and secret in text:
                text = text.replace(secret, HIDDEN)
        return text

    def scrub_growing(self, text: str) -> str:
        """The same of a text that is still coming: its end is held back as long as it may become a token."""
        text = self.scrub(text)
        for secret in (self.token, self.ip_token):
            most = min(len(text), len(secret) - 1)
            part = next((size for size in range(most, 0, -1) if text.endswith(secret[:size])), 0)
            text = text[: len(text) - part] if len(secret) >= _SHORTEST else text
        return text

    def scrub_all(self, value: Any) -> Any:
        """A JSON-like value without the tokens, in any of its texts."""
        if isinstance(value, str):
            return self.scrub(value)
        if isinstance(value, dict):
            return {self.scrub_all(name): self.scrub_all(part) for name, part in value.items()}
        if isinstance(value, (list, tuple)):
            return type(value)(map(self.scrub_all, value))
        return value


NOBODY = Credential()


def local() -> Credential:
    """Who is logged in on this machine (`HF_TOKEN`, `hf auth login`), as huggingface_hub knows it."""
    return Credential(huggingface_hub.get_token() or "")


def may_know(url: str) -> bool:
    """Whether an address is a Space's, which may be sent a token of Hugging Face's."""
    parts = urlsplit(url)
    return parts.scheme == "https" and _SPACES.fullmatch(parts.hostname or "") is not None
