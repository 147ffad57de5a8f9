"""The options that several policies share, as Sections; the options of one policy are in its own file.

They are read from arms.yaml and from the command line.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from metricloop.config import Fraction, PositiveShare, Section
from metricloop.data.edit_rows import KINDS

__all__ = [
    "Capped",
    "Drawn",
    "Fraction",
    "Mended",
    "PolicyError",
    "PositiveShare",
    "Scored",
    "kinds_in",
    "names_in",
    "strengths_in",
]

Direction = Literal["higher", "lower"]
STRONGEST = 10.0  # of one metric: a rank of a million to this power is still a finite number
MOST_STRENGTH = 40.0  # of all metrics together, for the same reason
VETO = 0.1  # the default of the option `veto`
Strength = Annotated[float, Field(ge=0, le=STRONGEST)]


class PolicyError(ValueError):
    """A policy, or one of its options, cannot be used on this pool; the message says what to do."""


def _line(value: Any) -> Any:
    """Accept a single number as text, so that one image id is a list of one name."""
    if isinstance(value, (list, tuple, dict)):
        raise ValueError("write the names in one line of text, with commas between them")
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


Line = Annotated[str, BeforeValidator(_line)]


def names_in(line: str | None) -> tuple[str, ...]:
    """`a.jpg, 17` as ("a.jpg", "17"). Errors: ValueError for an empty name or one given twice."""
    if line is None:
        return ()
    names = tuple(name.strip() for name in line.split(","))
    if "" in names:
        raise ValueError(f"a name is missing between two commas, or all of them: {line!r}")
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"named twice: {', '.join(twice)}")
    return names


def strengths_in(line: str | None) -> dict[str, float]:
    """`object_count, blur -0.5` as {"object_count": 1.0, "blur": -0.5}, sorted by name. Errors: ValueError.

    >>> strengths_in("object_count, blur -0.5")
    {'blur': -0.5, 'object_count': 1.0}
    """
    found: dict[str, float] = {}
    for part in names_in(line):
        name, _, number = part.partition(" ")
        try:
            strength = float(number or 1)
        except ValueError:
            strength = math.nan
        if not name.isidentifier() or not 0 < abs(strength) <= STRONGEST:
            raise ValueError(
                f"{part!r} is no metric with a strength between -{STRONGEST:g} and {STRONGEST:g} other than 0, "
                "such as `blur -0.5`"
            )
        if name in found:
            raise ValueError(f"named twice: {name}")
        found[name] = strength
    if sum(map(abs, found.values())) > MOST_STRENGTH:
        raise ValueError(f"the strengths add up to more than {MOST_STRENGTH:g}")
    return dict(sorted(found.items()))


def kinds_in(line: str | None) -> tuple[str, ...]:
    """The kinds named in a line: `add, drop` gives ("drop", "add"); None gives all.

    Errors: ValueError for an unknown kind.
    """
    named = names_in(line) or KINDS
    if strange := sorted({*named} - {*KINDS}):
        raise ValueError(f"there is no kind of edits {strange[0]!r}; there are {', '.join(KINDS)}")
    return tuple(kind for kind in KINDS if kind in named)


class Mend(Section):
    """The option `mend`: the edits of a repair, applied to the labels that a subset is made of.

    repair: the name of its entry in `repairs`, whose edits are the arm's input b. when: before, so that the policy sees
    the mended labels, and the score of a dropped box does not count; or after, so that it chooses by the labels as they
    were. kinds: of edits, with commas between, such as `drop, add`; null: all.
    """

    repair: str
    least_confidence: Annotated[float, Field(ge=0, le=1)] = 0.6
    when: Literal["before", "after"] = "before"
    kinds: Line | None = None

    @property
    def chosen_kinds(self) -> tuple[str, ...]:
        """The kinds of edits to apply: those named in `kinds`, or all."""
        return kinds_in(self.kinds)

    @field_validator("kinds")
    @classmethod
    def _known_kinds(cls, line: str | None) -> str | None:
        kinds_in(line)
        return line


class Mended(Section):
    """The options of every policy whose labels may be mended."""

    mend: Mend | None = Field(
        None,
        description="apply the edits of a repair to the labels: {repair, least_confidence, when: before or after the "
        "policy, kinds: of edits}; they are input b",
    )


class Capped(Mended):
    """The options of every policy that draws to a budget."""

    per_group: Annotated[int, Field(ge=1)] | None = Field(None, description="at most so many images of one video")
    always: Line | None = Field(
        None, description="images of every draw, part of the budget: file names or image ids, with commas between"
    )

    @field_validator("always")
    @classmethod
    def _named(cls, line: str | None) -> str | None:
        names_in(line)
        return line


class Drawn(Capped):
    """The options of every policy that draws to a budget without another arm's subset."""

    distinct: Literal["group", "looks"] | None = Field(
        None,
        description="first drop all but the best of images that show the same: of one group (a video, or "
        "near-duplicates found when the data came in), or of one look by the embeddings, input b",
    )

    @property
    def second(self) -> tuple[str, ...]:
        """The options given that read input b; at most one may."""
        return ("distinct=looks",) if self.distinct == "looks" else ()

    @model_validator(mode="after")
    def _one_second_input(self) -> Drawn:
        if len(self.second) > 1:
            raise ValueError(f"input b cannot serve {' and '.join(self.second)}")
        return self


class Scored(Drawn):
    """The options of every policy that reads scores."""

    direction: Direction = Field("higher", description="which scores are better")
    reduce: Literal["mean", "min", "softmin"] = Field(
        "mean", description="objects to image; min: the worst object decides"
    )
    temperature: Annotated[float, Field(gt=0)] = Field(0.1, description="of softmin, in units of the score")
    combine: Literal["product", "intersection", "veto"] | None = Field(
        None,
        description="with the second metric: product of ranks, the worse of the two ranks, or veto: what the second "
        "metric finds worst goes last, and the first one orders the rest",
    )
    veto: Fraction = Field(VETO, description="with combine=veto: the share that goes last")
    direction_b: Direction = Field("higher", description="which scores of the second metric are better")
    unknown: Literal["middle", "last"] = Field(
        "middle", description="where `cannot say` ranks: neither for nor against, or after all"
    )
    strength: Strength = Field(1.0, description="of the first metric in the product: its rank to the power of this")
    strength_b: Strength = Field(1.0, description="of the second metric in the product; 0 leaves it out")
    objectives: Line | None = Field(
        None,
        description="several metrics with their strengths, below 0 where lower is better, such as "
        "`object_count, blur -0.5`: the product of all ranks; inputs a and b are folders of scores",
    )

    @property
    def strengths(self) -> dict[str, float]:
        """The metrics of `objectives` with their signed strengths; {} without."""
        return strengths_in(self.objectives)

    @property
    def second(self) -> tuple[str, ...]:
        return (*super().second, *(("combine",) if self.combine else ()))

    @model_validator(mode="after")
    def _fit_together(self) -> Scored:
        if self.strengths and (self.combine or self.direction != "higher" or self.direction_b != "higher"):
            raise ValueError(
                "objectives replace direction and combine: give a metric where lower is better a strength below 0"
            )
        if (self.strength, self.strength_b) != (1, 1) and self.combine != "product":
            raise ValueError("strength and strength_b weigh the two metrics of combine=product")
        if self.veto != VETO and self.combine != "veto":
            raise ValueError("veto is the share of combine=veto: give that, too")
        return self
