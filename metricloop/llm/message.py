"""What is said in a conversation with a language model, by either side."""

from __future__ import annotations

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


@dataclass(frozen=True)
class Message:
    """One turn. Pictures come after the text, each under its title."""

    role: Literal["system", "user", "assistant"]
    text: str
    pictures: tuple[Picture, ...] = ()


@dataclass(frozen=True)
class Reply:
    """What came back from one call.

    text: the answer, "" where the model refused or said nothing. finish: stop, length, refusal, empty, or the server's
    own word where it is none of these. rung: how structured output was asked for (schema, json, fenced).
    prompt_tokens, completion_tokens: as the server counted; `estimated` where it did not, and we did.
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
