"""The base of every section of params.yaml: frozen, and no unknown key gets through."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """One section of params.yaml."""

    model_config = ConfigDict(frozen=True, extra="forbid")
