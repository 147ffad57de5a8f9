"""What an accepted idea adds to the study: files of code, a batch, a repair, an arm, and its first trials."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from metricloop import layout
from metricloop.comparison.groups import ROUND
from metricloop.engineer.arm_inputs import arm_inputs
from metricloop.engineer.generated_file import generated_name, write_code
from metricloop.engineer.known_ideas import KnownMetric
from metricloop.engineer.open_round import Round
from metricloop.engineer.suggestion import Suggestion
from metricloop.metrics.contract import Spec
from metricloop.metrics.repair_contract import RepairSpec
from metricloop.study.add_arm import file_for
from metricloop.study.plan import Plan
from metricloop.study.screens import first_trials


def accept(this: Round, idea: Suggestion, spec: Spec | None, repair: RepairSpec | None, addition: Plan) -> None:
    """Add the idea's batch, repair and arm to `addition`, write its code to files, and journal it.

    spec, repair: what its metric and its own repair declare. Errors: MetricError when a link would lead a file
    elsewhere.
    """
    metric, mends = _metric(this, idea, spec, addition), _repair(this, idea, repair, addition)
    known = this.known.metrics | ({idea.metric: metric} if idea.metric and metric else {})
    arm = idea.arm() | arm_inputs(idea.policy, idea.metric, idea.partner, known)
    addition["arms"][idea.name] = arm | {"group": f"{ROUND}{this.number}"}
    this.known.add(idea, metric, mends, arm)
    checked = this.journal.last("gate", **this.about(idea.name))
    attempt = checked["attempt"] if checked else 0
    file, sha256 = write_code(this.study.folder, this.number, idea.metric or "", this.metric_text(idea, attempt))
    told: dict[str, Any] = {"metric": idea.metric, "arm": dict(arm), "file": file, "sha256": sha256}
    if idea.repair:
        file, sha256 = write_code(this.study.folder, this.number, idea.repair, this.repair_text(idea, attempt))
        told |= {"repair": idea.repair, "repair_file": file, "repair_sha256": sha256}
    this.journal.once("accepted", this.about(idea.name), attempt=attempt, **told)


def _metric(this: Round, idea: Suggestion, spec: Spec | None, addition: Plan) -> KnownMetric | None:
    """The metric of an accepted idea; a new one is added to a batch of the round. None for a repair alone."""
    if idea.code is None or spec is None or idea.metric is None:
        return this.known.metrics.get(idea.metric or "")
    predicted = "predictions" in spec.needs
    batch = f"round{this.number}-{'model' if predicted else 'pool'}"
    needs = layout.PREDICTIONS if predicted else layout.IMAGES
    empty: dict[str, Any] = {"code": f"{layout.GENERATED}/{this.number}", "needs": needs, "metrics": []}
    addition["batches"].setdefault(batch, empty)["metrics"].append(idea.metric)
    return KnownMetric(spec.level, layout.scores_file(batch, idea.metric))


def _repair(this: Round, idea: Suggestion, spec: RepairSpec | None, addition: Plan) -> Mapping[str, Any] | None:
    """The repair of an accepted idea as its entry of the plan, which is added if it is new; None without one."""
    if not idea.repair:
        return None
    if idea.repair_code is not None and spec is not None:
        entry: Mapping[str, Any] = {"code": generated_name(this.number, idea.repair), "needs": file_for(spec.needs)}
    else:
        entry = this.known.repairs[idea.repair]
    if idea.repair not in this.study.plan.get("repairs", {}):
        addition.setdefault("repairs", {})[idea.repair] = dict(entry)
    return entry


def plan_trials(this: Round, names: Sequence[str], addition: Plan) -> None:
    """Add the first trials of these arms, which `addition` holds already.

    Several names are the variants of one idea: they get short trials, which decide which variant gets full ones.
    """
    plan = this.study.plan | {"arms": this.study.plan["arms"] | addition["arms"]}
    for name in names:
        trials = first_trials(name, plan, this.study.params, variant=len(names) > 1)
        for section, entries in trials.items():
            addition.setdefault(section, {}).update(entries)
