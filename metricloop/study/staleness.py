"""Which stages a run would bring up to date, and why: those that surely run, and those that wait to see what they get.

Nothing is locked and nothing is written but scratch, so that one may look while a study runs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from metricloop import layout
from metricloop.params import check_params
from metricloop.study.dvc_commands import outdated
from metricloop.study.graph import Graph, declared, downstream, stages_of, wired
from metricloop.study.look_only import is_looking
from metricloop.study.plan import load_plan
from metricloop.study.reasons import Comparison, Reason
from metricloop.study.refresh import fresh_files, refresh_code
from metricloop.study.stage_list import NotUnderstoodError, list_stages
from metricloop.study.yaml_text import read_as_dvc, read_lock


@dataclass(frozen=True)
class Staleness:
    """The stages of a study, each list in the order of the data.

    to_do: their own inputs, settings or code differ from those of their outputs, or outputs are missing.
    waiting: they read what the stages to do write; they run only if that turns out different.
    why: stage to do -> reasons; empty where dvc.yaml holds things of a person's own, so that DVC had to be asked.
    """

    stages: Sequence[str]
    to_do: Sequence[str]
    waiting: Sequence[str]
    why: Mapping[str, Sequence[Reason]] = field(default_factory=dict)

    @property
    def old(self) -> list[str]:
        """The stages to do and those that wait, in the order of the data."""
        return [name for name in self.stages if name in self.to_do or name in self.waiting]

    @property
    def fresh(self) -> list[str]:
        """The stages that are up to date."""
        return [name for name in self.stages if name not in self.to_do and name not in self.waiting]


def staleness(folder: Path, params_text: str = "") -> Staleness:
    """What is up to date in a workspace, and what is not. Errors: those of refresh_code.

    params_text: counts as the content of params.yaml; "": the file's own.
    Found without DVC, which would lock the workspace and take seconds. It is asked only where dvc.yaml holds what
    metricloop does not understand. Errors then: StageError, also where another process holds DVC's lock.
    """
    try:
        graph, why = _look(folder, params_text)
    except NotUnderstoodError:
        if not is_looking():
            refresh_code(folder)
        graph = stages_of(folder, load_plan(folder))
        why = {name: [] for name in outdated(folder, list(graph))}
    to_do = [name for name in graph if name in why]
    return Staleness(list(graph), to_do, [name for name in downstream(graph, to_do) if name not in to_do], why)


def to_do_among(folder: Path, names: Sequence[str]) -> list[str]:
    """The stages among `names` that a run would run now, in the order given. Errors: as in `staleness`.

    DVC says the same, and takes minutes where there are hundreds of stages.
    """
    old = set(staleness(folder).to_do) if names else set()
    return [name for name in names if name in old]


def _look(folder: Path, params_text: str) -> tuple[Graph, dict[str, list[Reason]]]:
    """The graph of the stages, and why some are out of date."""
    params_text = params_text or (folder / layout.PARAMS).read_text()
    texts, plan = fresh_files(folder, check_params(yaml.safe_load(params_text))), load_plan(folder)
    texts[layout.PARAMS] = params_text
    content = declared(texts.get(layout.STAGES, ""), folder / layout.STAGES)
    params = read_as_dvc(params_text)
    graph, stages = wired(content["stages"], plan, params), list_stages(content, plan, params)
    lock = folder / layout.LOCK
    recorded = read_lock(texts.get(layout.LOCK) or lock.read_text(), lock) if lock.is_file() else {}
    found = Comparison(folder, recorded, texts, params.get("data") or {})
    why = {name: reasons for name in graph if (reasons := found.reasons(name, stages[name]))}
    found.sums.save()
    return graph, why
