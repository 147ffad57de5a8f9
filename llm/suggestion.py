"""What the language model hands in: a hypothesis, a metric's code and a policy. The code is text here."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from detection.settings import Section


class Suggestion(Section):
    """One idea of one round. `code` is the text of a file that declares the metric `metric`; nobody has read it."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{2,40}$")
    hypothesis: str = Field(min_length=1, max_length=2000)
    targets: Literal["missing", "spurious", "badly_placed", "wrong_class", "doubled", "mixed", "none"]
    family: str = Field(pattern=r"^[a-z][a-z0-9_-]{2,40}$")
    parent: str | None = None
    metric: str = Field(pattern=r"^[a-z][a-z0-9_]{2,60}$")
    code: str = Field(min_length=1, max_length=50_000)
    policy: dict[str, str | float | int]
    predicted_gain: float = Field(ge=-1, le=1)  # absolute mAP

    def arm(self, scores: str) -> dict[str, Any]:
        """The entry of rounds.yaml that puts this suggestion to the test; `scores` is the file of its metric."""
        return {"role": "treatment", "metric": self.metric, "a": scores, "b": scores, "policy": dict(self.policy)}
