"""Messages, pictures and replies of a conversation with a language model."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Picture:
    """A picture shown to the model. title: what it shows; jpeg: the file's bytes."""

    title: str
    jpeg: bytes

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.jpeg).hexdigest()

    @property
    def url(self) -> str:
        """The picture as a data URL."""
        return f"data:image/jpeg;base64,{base64.b64encode(self.jpeg).decode()}"


@dataclass(frozen=True)
class Message:
    """One message. Its pictures come after the text, each under its title."""

    role: Literal["system", "user", "assistant"]
    text: str
    pictures: tuple[Picture, ...] = ()


@dataclass(frozen=True)
class Reply:
    """The reply to one call.

    text: the answer; "" when the model refused or the answer was empty. finish: stop, length, refusal, empty, or
    another word of the server. rung: how structured output was asked for (schema, json, fenced). prompt_tokens,
    completion_tokens: counted by the server, or by us when `estimated`; cached_tokens: of those read, reasoning_tokens:
    of those written. api: chat or responses. effort: the reasoning effort asked for, None for the server's own. tier:
    the service tier that the server names, or that was asked for; "" for none.
    """

    text: str
    model: str
    finish: str
    rung: str
    prompt_tokens: int
    completion_tokens: int
    estimated: bool
    seconds: float
    retries: int = 0
    refusal: str | None = None
    cached_tokens: int = 0
    reasoning_tokens: int = 0
    api: str = "chat"
    effort: str | None = None
    tier: str = ""
