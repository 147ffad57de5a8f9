"""The section llm of params.yaml: which language model, how it is reached, and what it may cost."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from metricloop.config import Section

Amount = Annotated[float, Field(ge=0)]


class LanguageModel(Section):
    """Limits count over the whole study, every run of it; a replayed answer costs nothing."""

    provider: Literal["none", "openai", "record", "replay"] = "none"
    base_url: Annotated[str, Field(pattern=r"^https?://[^\s@?#]+$")] = "https://api.openai.com/v1"  # holds no key
    model: str = "gpt-5-mini"
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    cassette: str = ""
    rounds: Annotated[int, Field(ge=0, le=50)] = 2
    suggestions: Annotated[int, Field(ge=1, le=10)] = 3
    repairs: Annotated[int, Field(ge=0, le=10)] = 3
    pictures: Literal["none", "thumbnails", "full"] = "thumbnails"
    answer_tokens: Annotated[int, Field(ge=256)] = 16_000
    call_seconds: Annotated[float, Field(gt=0)] = 300
    retries: Annotated[int, Field(ge=0, le=10)] = 4
    max_tokens: Annotated[int, Field(ge=0)] = 500_000
    max_cost: Amount | None = 5.0
    max_minutes: Amount = 120
    prices: dict[str, tuple[Amount, Amount]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _cassette_named(self) -> LanguageModel:
        if self.provider == "replay" and not self.cassette:
            raise ValueError("llm.cassette: replay needs a recording: demo, or the path of a cassette")
        return self
