"""The base class of every section of params.yaml, and the kinds of share that sections use."""

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

Fraction = Annotated[float, Field(gt=0, lt=1)]  # neither nothing nor all
PositiveShare = Annotated[float, Field(gt=0, le=1)]  # all is allowed


class Section(BaseModel):
    """One section of params.yaml: its values cannot be changed, and unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def one_of(names: Sequence[str]) -> AfterValidator:
    """A check that a value is one of `names`, for names that a registry holds."""

    def check(value: str) -> str:
        if value not in names:
            choices = f"{', '.join(map(repr, names[:-1]))} or {names[-1]!r}"
            near = get_close_matches(str(value), names, 1, cutoff=0.4)
            hint = f" (did you mean {near[0]!r}?)" if near else ""
            raise PydanticCustomError("one_of", "Input should be {choices}{hint}", {"choices": choices, "hint": hint})
        return value

    return AfterValidator(check)
