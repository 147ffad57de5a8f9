"""The base class of every section of params.yaml, and the kinds of share that sections use."""

from collections.abc import Sequence
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
            raise PydanticCustomError("one_of", "Input should be {choices}", {"choices": choices})
        return value

    return AfterValidator(check)
