"""The result of one check of an application."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from metricloop.takehome.said import same_everywhere


@dataclass(frozen=True)
class Result:
    """passed; said: what is wrong, for the model, "" when it passed; facts: numbers that the model never sees."""

    passed: bool
    said: str = ""
    facts: dict[str, Any] = field(default_factory=dict)


def passed(**facts: Any) -> Result:
    return Result(True, "", facts)


def failed(said: str, **facts: Any) -> Result:
    """said: for the model; its end is kept when it is too long."""
    return Result(False, same_everywhere(said) or "it failed without a word", facts)


def judged(faults: list[str], **facts: Any) -> Result:
    """Passed when there are no faults; else the first of them are told."""
    if not faults:
        return passed(**facts)
    more = [f"... and {len(faults) - 10} more"] if len(faults) > 10 else []
    return failed("\n".join([*faults[:10], *more]), **facts)
