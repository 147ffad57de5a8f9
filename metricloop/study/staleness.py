"""Which stages a run would bring up to date: those that surely run, and those that wait to see what they get."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from metricloop.study.dvc_commands import outdated
from metricloop.study.graph import downstream, stages_of
from metricloop.study.plan import load_plan
from metricloop.study.refresh import refresh_code


@dataclass(frozen=True)
class Staleness:
    """The stages of a study, each list in the order of the data.

    to_do: their own inputs, settings or code differ from those of their outputs, or outputs are missing.
    waiting: they read what the stages to do write; they run only if that turns out different.
    """

    stages: Sequence[str]
    to_do: Sequence[str]
    waiting: Sequence[str]

    @property
    def old(self) -> list[str]:
        """The stages to do and those that wait, in the order of the data."""
        return [name for name in self.stages if name in self.to_do or name in self.waiting]

    @property
    def fresh(self) -> list[str]:
        """The stages that are up to date."""
        return [name for name in self.stages if name not in self.to_do and name not in self.waiting]


def staleness(folder: Path) -> Staleness:
    """What is up to date in a workspace, and what is not; asks DVC once. Errors: those of refresh_code, StageError."""
    refresh_code(folder)
    graph = stages_of(folder, load_plan(folder))
    to_do = outdated(folder, list(graph))
    return Staleness(list(graph), to_do, [name for name in downstream(graph, to_do) if name not in to_do])
