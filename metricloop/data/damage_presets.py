"""The section data.corrupt of params.yaml: the ways to damage a label, and the presets made of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field, model_validator

from metricloop.config import Section
from metricloop.data.label_errors import PLANTED, PRESETS

if TYPE_CHECKING:
    PlantedKind = str  # a type checker takes no names that are found at run time
    PresetName = str
else:
    PlantedKind = Literal[PLANTED]
    PresetName = Literal["none", *PRESETS]


class Mistake(Section):
    """One way to damage a box, and how often.

    rate: share of the boxes hit at strength 1; the rates of the mistakes that one class can suffer sum to at most 1.
    shift: the furthest the centre moves, as a share of the box's width and height, uniform up to it.
    scale: ranges (low, high); one range is drawn at random, then a factor within it for both sides.
    lookalike: chance that an invented box is put on a look-alike, if the image has a free one.
    classes: names of the classes it happens to; empty means all.
    groups: share of the groups (annotators, videos) it happens in; the same groups for every mistake of a seed.
    rate_growth, magnitude_growth: how rate, and shift and scale, fall with the size of the object: the factor is
    (small / size) ** growth, at most 1; size is the root of the box's share of the image's area. 0: no effect of size.
    """

    kind: PlantedKind
    rate: float = Field(ge=0, le=1)
    shift: float = Field(default=0.0, ge=0, le=0.5)
    scale: tuple[tuple[float, float], ...] = ((1.0, 1.0),)
    lookalike: float = Field(default=1.0, ge=0, le=1)
    classes: tuple[str, ...] = ()
    groups: float = Field(default=1.0, ge=0, le=1)
    small: float = Field(default=0.2, gt=0, le=1)
    rate_growth: float = Field(default=0.0, ge=0)
    magnitude_growth: float = Field(default=0.0, ge=0)

    @model_validator(mode="after")
    def _scales_are_ranges(self) -> Mistake:
        if not self.scale or any(not 0 < low <= high for low, high in self.scale):
            raise ValueError(f"scale must be ranges [low, high] with 0 < low <= high, not {self.scale}")
        return self


Mistakes = tuple[Mistake, ...]

ARTICLE: Mistakes = (
    Mistake(kind="missing", rate=0.25),
    Mistake(kind="moved", rate=0.40, shift=0.35, scale=((0.45, 0.65), (1.4, 1.9))),
    Mistake(kind="replaced", rate=0.35),
)
SLOPPY: Mistakes = (
    Mistake(kind="missing", rate=0.4, groups=0.333, rate_growth=1.0),
    Mistake(kind="scaled", rate=0.6, groups=0.333, shift=0.15, scale=((1.2, 1.8),), magnitude_growth=1.0),
)
CUSTOM: Mistakes = (
    Mistake(kind="missing", rate=0.15),
    Mistake(kind="spurious", rate=0.15),
    Mistake(kind="moved", rate=0.15, shift=0.35),
    Mistake(kind="scaled", rate=0.15, scale=((0.5, 0.8), (1.25, 2.0))),
    Mistake(kind="class", rate=0.15),
    Mistake(kind="doubled", rate=0.15, shift=0.1, scale=((0.9, 1.1),)),
)


class Corrupt(Section):
    """The section data.corrupt: which preset, and how much of it. `strength` multiplies every rate of the preset."""

    preset: PresetName = "none"
    strength: float = Field(default=0.5, ge=0, le=1)
    seed: int = Field(default=0, ge=0)
    article: Mistakes = ARTICLE
    sloppy: Mistakes = SLOPPY
    custom: Mistakes = CUSTOM

    @model_validator(mode="after")
    def _rates_leave_room(self) -> Corrupt:
        for preset in PRESETS:
            mistakes: Mistakes = getattr(self, preset)
            for name in {None, *(name for mistake in mistakes for name in mistake.classes)}:
                total = sum(mistake.rate for mistake in mistakes if not mistake.classes or name in mistake.classes)
                if total > 1 + 1e-9:
                    where = f" for class {name}" if name else ""
                    raise ValueError(f"the rates of {preset} sum to {total:.3g}{where}; a box suffers one: at most 1")
        return self

    @property
    def mistakes(self) -> Mistakes:
        """The mistakes of the chosen preset; none at strength 0."""
        return () if self.preset == "none" or self.strength == 0 else getattr(self, self.preset)
