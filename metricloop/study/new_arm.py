"""The entries of arms.yaml that make an arm of a metric of the catalogue, or of a control; and what the arm costs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from metricloop import layout
from metricloop.data.seeds import parse_seeds
from metricloop.metrics.contract import Spec, spec_of
from metricloop.params import Params
from metricloop.scoring.open_metrics import CATALOGUE, catalogue
from metricloop.selection.policies import POLICIES, PolicyError, check_policy, needs_embeddings
from metricloop.study.add_arm import AppendError, arm_name, entries_for
from metricloop.study.pace import read_pace
from metricloop.study.plan import Plan
from metricloop.study.screens import first_trials
from metricloop.study.split_sizes import split_sizes
from metricloop.text.duration import duration_range
from metricloop.text.nearest import did_you_mean
from metricloop.text.numbers import count

CONTROLS = ("full", "oracle", "relabelled", "random_by_group")  # arms that need no metric
COPIES = ("exact_duplicate", "near_duplicate")  # metrics that say how often, not which one of the copies should stay


def metric_of(name: str) -> Spec:
    """A metric of the catalogue. Errors: AppendError with the nearest name among metrics and controls."""
    known = catalogue()
    if name in known:
        return spec_of(known[name])
    hint = did_you_mean(name, [*known, *CONTROLS], "for all metrics: metricloop score --list")
    raise AppendError(
        f"{name!r} is no metric of the catalogue, no control ({', '.join(CONTROLS)}) and no file of your own; {hint}"
    )


def usual_policy(metric: str) -> tuple[str, dict[str, Any]]:
    """Name and options of the policy that a metric gets where the person names none.

    It is `best`. A metric of COPIES gets one image of each look: most images have no copy, so that the best ones by a
    number of copies alone would be a random subset.
    """
    return "best", {"distinct": "looks"} if metric in COPIES else {}


def metric_arm(
    params: Params, plan: Plan, spec: Spec, policy: str, options: Mapping[str, Any], code: str = CATALOGUE[1]
) -> tuple[str, Plan]:
    """The name of an arm that selects by one metric, and its entries, with the first trials of this study.

    policy, options: as in arms.yaml; the direction is the metric's own unless it is given. code: the metric's file.
    Errors: PolicyError for a policy or option that is unknown, or needs more than one metric; AppendError when another
    file has a metric of this name, or an arm selects so already.
    """
    given = {"name": policy, "direction": "higher" if spec.higher_is == "better" else "lower", **options}
    if policy in POLICIES and POLICIES[policy].reads not in ("scores", "object scores", "scores and embeddings"):
        fit = ", ".join(name for name, one in POLICIES.items() if "scores" in one.reads)
        raise PolicyError(f"policy {policy} does not select by scores; policies that do: {fit}")
    name, checked = check_policy(given)
    if getattr(checked, "combine", None) or getattr(checked, "objectives", None):
        raise PolicyError(
            f"a policy of several metrics is written into {layout.ARMS} by hand; docs/policies.md says how"
        )
    if POLICIES[name].reads == "object scores" and spec.level != "object":
        raise PolicyError(
            f"policy {name} drops single boxes, so it needs a metric of objects; {spec.name} scores images"
        )
    arm = arm_name(plan, spec.name, policy)
    addition = entries_for(plan, spec, code, given, arm, params.looks.arms[0])
    if needs_embeddings(name, checked):
        addition["arms"][arm]["b"] = layout.EMBEDDINGS
    if POLICIES[name].flip:
        addition["arms"][arm]["role"] = "control"  # it should lose
    alike = [other for other, entry in plan["arms"].items() if _same(entry, addition["arms"][arm])]
    if alike:
        raise AppendError(f"the arm {alike[0]} is this already; for another arm: --policy among share=0.4")
    return arm, addition | trials_for(arm, addition, params, plan)


def control_arm(params: Params, plan: Plan, name: str) -> tuple[str, Plan]:
    """A control of CONTROLS and its entries. Errors: AppendError where it is there, or no truth is known."""
    whole = name == "full"
    if whole and (there := [other for other, arm in plan["arms"].items() if arm["policy"]["name"] == name]):
        raise AppendError(f"the study has the whole pool as an arm already: {there[0]}")
    if name in plan["arms"]:
        raise AppendError(f"{layout.ARMS} has the arm {name} already")
    file = layout.IMAGES
    if name in ("oracle", "relabelled"):
        if params.data.second_labels:
            file = layout.SECOND
        elif params.data.corrupt.preset != "none":
            file = layout.TRUTH
        else:
            raise AppendError(
                f"{name} needs labels that are right: name a second labelling in data.second_labels, or have mistakes "
                "made on purpose (data.corrupt)"
            )
    arm: dict[str, Any] = {"role": "control", "a": file, "b": file, "policy": {"name": name}}
    if whole:
        arm["automatic"] = True  # a family of tests of its own, so that no verdict of the study changes
    addition: Plan = {"arms": {name: arm}}
    return name, addition | trials_for(name, addition, params, plan)


def _same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    def meaning(arm: Mapping[str, Any]) -> Any:
        return arm["a"], arm["b"], check_policy(arm["policy"])

    return meaning(one) == meaning(other)


def trials_for(arm: str, addition: Plan, params: Params, plan: Plan) -> Plan:
    """The first trials of a new arm, as sections of the plan. addition: the entries with this arm."""
    with_it = {**plan, "arms": {**plan["arms"], **addition["arms"]}}
    return {"blocks": {}, **first_trials(arm, with_it, params)}


def cost(folder: Path, params: Params, plan: Plan, addition: Plan) -> str:
    """What the new arm costs, in words: what is scored, how many trials, and how long where this study knows that."""
    trials = sum(len(parse_seeds(block["seeds"])) for block in addition.get("blocks", {}).values())
    short = sum(len(parse_seeds(screen["seeds"])) for screen in addition.get("screens", {}).values())
    pool = split_sizes(folder).get("pool")
    parts = []
    if addition.get("batches"):
        parts.append("the pool is scored" if pool is None else f"{count(pool, 'image')} to score")
    if short:
        parts.append(f"{count(short, 'short trial')} first")
    full = trials or params.looks.arms[0]
    later = params.looks.arms[-1]
    parts.append(f"{count(full, 'trial')} of {params.train.iterations} iterations")
    pace = read_pace(folder, params, plan)
    if pace is not None:
        parts.append(f"{duration_range(*pace.of_run(full + short * params.screen.share))} with all that goes with it")
    text = ", ".join(parts)
    more = any(arm["role"] == "treatment" for arm in addition["arms"].values()) and later > full
    return text + (f"; {later - full} more trials if it is ahead and undecided" if more else "")
