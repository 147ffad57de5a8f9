"""The section llm of params.yaml: the language model, its server, and the limits of its cost."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from metricloop.config import Section
from metricloop.llm.model_table import Amount, Price
from metricloop.llm.providers import NONE, provider_choices, provider_names, provider_of

Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]
Tier = Literal["auto", "default", "flex", "scale", "priority", "fast", "ultrafast"]


def _known_provider(name: str) -> str:
    if name not in (NONE, *provider_names()):
        raise PydanticCustomError("provider", f"should be {provider_choices()}")
    return name


class LanguageModel(Section):
    """The section. Limits hold for all runs of a study together; a replayed answer costs nothing."""

    provider: Annotated[str, AfterValidator(_known_provider)] = NONE
    base_url: Annotated[str, Field(pattern=r"^https?://[^\s@?#]+$")] = "https://api.openai.com/v1"  # without a key
    api: Literal["auto", "responses", "chat"] = "auto"
    model: str = "gpt-6.1-sol"  # checked by `doctor --llm` and before a study's first call
    reasoning_effort: Effort | None = None
    verbosity: Literal["low", "medium", "high"] | None = None
    service_tier: Tier | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    cassette: str = ""
    engineers: Annotated[int, Field(ge=1, le=5)] = 1
    models: Annotated[tuple[str, ...], Field(max_length=5)] = ()
    rounds: Annotated[int, Field(ge=0, le=50)] = 2
    explore: Annotated[int, Field(ge=0, le=20)] = 3
    suggestions: Annotated[int, Field(ge=1, le=10)] = 3
    lessons: str = ""
    variants: Annotated[int, Field(ge=1, le=3)] = 3
    repairs: Annotated[int, Field(ge=0, le=10)] = 3
    pictures: Literal["none", "thumbnails", "full"] = "thumbnails"
    picture_detail: Literal["auto", "low", "high", "original"] | None = None
    answer_tokens: Annotated[int, Field(ge=256)] = 16_000
    call_seconds: Annotated[float, Field(gt=0)] = 300
    retries: Annotated[int, Field(ge=0, le=10)] = 4
    max_tokens: Annotated[int, Field(ge=0)] = 500_000
    max_cost: Amount | None = 5.0
    max_minutes: Amount = 120
    prices: dict[str, Price] = Field(default_factory=dict)

    @property
    def engineer_models(self) -> tuple[str, ...]:
        """The model of each engineer: those of llm.models, or llm.model as often as there are engineers."""
        return self.models or (self.model,) * self.engineers

    @model_validator(mode="after")
    def _engineers_have_their_models(self) -> LanguageModel:
        if self.models and self.engineers not in (1, len(self.models)):
            raise ValueError(
                f"llm.engineers is {self.engineers}, but llm.models names {len(self.models)}; give each its model"
            )
        return self

    @model_validator(mode="after")
    def _provider_has_its_settings(self) -> LanguageModel:
        if self.provider != NONE and (fault := provider_of(self.provider).fault(self)):
            raise ValueError(fault)
        return self
