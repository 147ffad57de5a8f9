"""What is to be expected of the list of one kind of error."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Expected:
    """How much is wrong, by one kind of error, as far as the labels themselves tell.

    wrong: estimated number of wrong ones among all labels or images that were judged, a careful figure; None where it
    cannot be estimated. precision: expected share of wrong ones among those listed, 0 to 1; None for an empty list.
    silent: why the kind lists nothing, or None.
    """

    wrong: float | None = None
    precision: float | None = None
    silent: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Its fields as JSON values."""
        return asdict(self)
