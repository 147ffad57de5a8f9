"""The checks of an application, one per file. None of them believes a word of the model or of its code.

To add a check, write a module with `check(bench) -> Result`, a line in CHECKS, and a test.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from metricloop.takehome.bench import Bench
from metricloop.takehome.checks import (
    dockerfile,
    endpoint,
    lint,
    own_tests,
    predictions,
    readme,
    score,
    structure,
    training,
)
from metricloop.takehome.result import Result


@dataclass(frozen=True)
class Check:
    """One check. title: what it shows, for tables; all checks weigh the same."""

    name: str
    title: str
    run: Callable[[Bench], Result]


CHECKS = (
    Check("training", "training runs within its limits and writes a model", training.check),
    Check("score", "better than the most frequent label on labels it never saw", score.check),
    Check("predictions", "every unseen item found and predicted, in the right form", predictions.check),
    Check("endpoint", "the endpoint answers, in the right types, and refuses bad input", endpoint.check),
    Check("dockerfile", "Dockerfile linted, consistent, installs what is imported", dockerfile.check),
    Check("readme", "the README's commands exist and run", readme.check),
    Check("tests", "its own tests pass, and fail when predictions are broken", own_tests.check),
    Check("lint", "ruff finds nothing", lint.check),
    Check("structure", "no file does everything", structure.check),
)
BY_NAME = {check.name: check for check in CHECKS}
