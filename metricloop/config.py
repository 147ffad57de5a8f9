"""The base class of every section of params.yaml, and the kinds of share that sections use."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Fraction = Annotated[float, Field(gt=0, lt=1)]  # neither nothing nor all
PositiveShare = Annotated[float, Field(gt=0, le=1)]  # all is allowed


class Section(BaseModel):
    """One section of params.yaml: its values cannot be changed, and unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")
