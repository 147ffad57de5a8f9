"""What the ideas of a round are compared with: metrics, repairs, arms and families of the study."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from metricloop.engineer.policy_menu import OFFERED
from metricloop.engineer.suggestion import Suggestion
from metricloop.metrics.contract import Spec
from metricloop.metrics.families import IDEA_FAMILIES


@dataclass(frozen=True)
class KnownMetric:
    """A metric that has scores in this study, or will have. level: image or object; scores: the file."""

    level: str
    scores: str


@dataclass
class KnownIdeas:
    """What a new idea is compared with; `add` adds an idea that was accepted.

    metrics: metrics with scores, by name; repairs: repairs that may be used, with their entries of the plan; reserved:
    further names of metrics and repairs that are taken. arms: of the plan, by name. families, targets: of suggested
    arms, by arm. refuted: of each arm that is shown to be worse than random, the evidence in words. offered: the
    policies of this study.
    """

    metrics: dict[str, KnownMetric]
    arms: dict[str, Mapping[str, Any]]
    reserved: frozenset[str] = frozenset()
    families: dict[str, str] = field(default_factory=dict)
    targets: dict[str, str] = field(default_factory=dict)
    refuted: Mapping[str, str] = field(default_factory=dict)
    repairs: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    offered: Sequence[str] = OFFERED

    def add(
        self, idea: Suggestion, metric: KnownMetric | None, repair: Mapping[str, Any] | None, arm: Mapping[str, Any]
    ) -> None:
        """Add an accepted idea. metric, repair: None where it has none."""
        if idea.metric and metric:
            self.metrics[idea.metric] = metric
        if idea.repair and repair:
            self.repairs[idea.repair] = repair
        self.arms[idea.name] = arm
        self.families[idea.name], self.targets[idea.name] = idea.family, idea.targets

    def spec(self, metric: str | None) -> Spec:
        """The declaration of a known metric: its name and level. `needs` is left empty."""
        name = metric or ""
        return Spec(name, self.metrics[name].level)  # type: ignore[arg-type]

    @property
    def untried(self) -> list[str]:
        """The families of which no idea was tried yet, in the order of the catalogue."""
        return untried_families(self.families.values())

    def too_familiar(self, suggestions: Sequence[Suggestion]) -> list[Suggestion]:
        """The suggestions to refuse so that at least half of the rest open a family each; the last ones go first.

        When fewer untried families are left than that, each of them must be opened.
        """
        left, familiar = set(self.untried), []
        most = len(left)
        for idea in suggestions:
            if idea.family in left:
                left.remove(idea.family)
            else:
                familiar.append(idea)
        opened = len(suggestions) - len(familiar)
        return [] if opened >= must_open(len(suggestions), most) else familiar[opened:]

    @property
    def metric_names(self) -> str:
        """The names of the metrics with scores, for a message."""
        return listed(self.metrics)

    @property
    def taken(self) -> set[str]:
        """The names that no new metric and no new repair may have."""
        return {*self.metrics, *self.repairs, *self.reserved}


def untried_families(tried: Iterable[str]) -> list[str]:
    """The families of the catalogue of ideas that are not among `tried`."""
    known = set(tried)
    return [family for family in IDEA_FAMILIES if family not in known]


def must_open(ideas: int, untried: int) -> int:
    """How many untried families a round must open: half its number of ideas, rounded up, or all if fewer are left."""
    return min(math.ceil(ideas / 2), untried)


def listed(names: Iterable[str]) -> str:
    """Names in a message, sorted."""
    return ", ".join(sorted(names)) or "none"
