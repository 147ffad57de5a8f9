"""What would fail, or mislead, only after hours: the plan and the settings of a study held against what there is.

`load_plan` checks each entry by itself. Here are the ties between entries, and those to files and metrics.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from metricloop import layout
from metricloop.data.seeds import parse_seeds
from metricloop.mending.open_repair import repair_catalogue
from metricloop.metrics.contract import spec_of
from metricloop.metrics.repair_contract import repair_spec_of
from metricloop.params import Params
from metricloop.scoring.declared_metrics import declared_in
from metricloop.scoring.open_metrics import CATALOGUE, catalogue
from metricloop.selection.policies import POLICIES, check_policy, needs_embeddings
from metricloop.selection.select import BASELINE, SAME_IMAGES
from metricloop.study.add_arm import FILE_OF
from metricloop.study.plan import Plan, PlanError
from metricloop.text.nearest import did_you_mean
from metricloop.text.numbers import count

NEEDS = (layout.IMAGES, layout.PREDICTIONS, layout.VIEWS, layout.EMBEDDINGS)  # of a batch
TRUTHS = (layout.TRUTH, layout.SECOND, layout.BEFORE)
KEYS = {
    "arms": ("role", "automatic", "group", "variant_of", "metric", "a", "b", "policy"),
    "screens": ("arm", "seeds"),
    "blocks": ("arm", "seeds"),
}
MOST_INIT = 6  # the most that `init --seeds` takes


def check_ties(folder: Path, params: Params, plan: Plan) -> None:
    """Errors: PlanError that lists every fault, each with the entry and the nearest known name."""
    found = list(faults(folder, params, plan))
    if found:
        told = found[0] if len(found) == 1 else "\n".join(["", *(f"  {fault}" for fault in found)])
        raise PlanError(f"{folder / layout.ARMS}: {told}")


def faults(folder: Path, params: Params, plan: Plan) -> Iterator[str]:
    """What is wrong, one line each."""
    yield from _keys(plan)
    yield from _batches(folder, plan)
    yield from _repairs(folder, plan)
    yield from _arms(params, plan)
    yield from _seeds(plan)


def warnings(plan: Plan, params: Params | None = None) -> Iterator[str]:
    """What runs, but does not show what a person may think it shows, one line each."""
    if params is not None:
        yield from _more_than_looks(plan, params)
    baseline = next((name for name, arm in plan["arms"].items() if arm["role"] == "baseline"), None)
    if baseline is not None:
        policy = dict(plan["arms"][baseline]["policy"])
        plain = baseline == BASELINE and policy == {"name": "random"}
        for name, arm in plan["arms"].items():
            if arm["policy"].get("name") in SAME_IMAGES and not plain:
                yield (
                    f"arms.{name} draws the images of an arm called {BASELINE} with the plain policy random, but the "
                    f"baseline is {baseline} with {policy}: they are trained on other images, so the gain of {name} is "
                    "not that of its labels alone"
                )
    tried = {entry["arm"] for section in ("screens", "blocks") for entry in plan[section].values()}
    for name in plan["arms"]:
        if name not in tried:
            yield f"arms.{name} has no block, so it is never trained; add {name}.0: {{arm: {name}, seeds: 0-2}}"
    used = {str(arm[key]) for arm in plan["arms"].values() for key in ("a", "b")}
    for name, batch in plan["batches"].items():
        for metric in batch["metrics"]:
            if not used & {layout.scores_file(name, metric), f"{layout.SCORES}/{name}"}:
                yield f"batches.{name}: {metric} is scored, but no arm reads its scores"


def _more_than_looks(plan: Plan, params: Params) -> Iterator[str]:
    """Arms with more seeds in the plan than the last look takes: they train, and count in no test."""
    first = params.looks.arms[0]
    for role, most in (("arm", params.looks.arms[-1]), ("baseline", params.looks.baseline[-1])):
        planned: dict[str, int] = {}
        for block in plan["blocks"].values():
            name = block["arm"]
            if (plan["arms"][name]["role"] == "baseline") == (role == "baseline"):
                planned[name] = planned.get(name, 0) + len(parse_seeds(block["seeds"]))
        over = [name for name, seeds in planned.items() if seeds > most]
        if over:
            who = f"{over[0]} has" if len(over) == 1 else f"{count(len(over), 'arm')} have"
            what = "an arm (looks.arms)" if role == "arm" else "the baseline (looks.baseline)"
            anew = f", or begin anew with `init --seeds {first}`" if role == "arm" and first <= MOST_INIT else ""
            yield (
                f"the looks take {most} seeds of {what}, but {who} {max(planned[name] for name in over)} in the plan, "
                f"and all of them are trained; edit `seeds` in arms.yaml, to 0-{most - 1} in all{anew}"
            )


def _keys(plan: Plan) -> Iterator[str]:
    for section, known in KEYS.items():
        for name, entry in plan[section].items():
            for key in entry.keys() - set(known):
                yield f"{section}.{name}: unknown key {key!r}{nearest(key, known)}"


def _batches(folder: Path, plan: Plan) -> Iterator[str]:
    ours: Mapping[str, Any] | None = None
    for name, batch in plan["batches"].items():
        where, code, needs = f"batches.{name}", str(batch["code"]), str(batch["needs"])
        if needs not in NEEDS:
            yield f"{where}: needs is {needs!r}{nearest(needs, NEEDS)}"
        if twice := {str(one) for one in batch["metrics"] if batch["metrics"].count(one) > 1}:
            yield f"{where}: {min(twice)} stands there twice"
        if code in CATALOGUE:
            ours = ours or catalogue()
            for metric in batch["metrics"]:
                if metric not in ours:
                    yield f"{where}: no metric {metric!r} in the catalogue{nearest(metric, ours)}"
                elif lacking := [
                    f for n in spec_of(ours[metric]).needs if (f := FILE_OF.get(n)) and not _covers(needs, f)
                ]:
                    yield f"{where}: {metric} needs {lacking[0]}, but the batch names {needs}"
            continue
        place = folder / code
        for metric in batch["metrics"]:
            file = place / f"{metric}.py" if place.is_dir() else place
            known = declared_in(file)
            if known is None:
                yield f"{where}: {file} does not exist{nearest(code, CATALOGUE)}"
            elif metric not in known:
                yield f"{where}: no metric {metric!r} in {file}{nearest(metric, known)}"


def _repairs(folder: Path, plan: Plan) -> Iterator[str]:
    for name, entry in plan["repairs"].items():
        where, code, needs = f"repairs.{name}", str(entry["code"]), str(entry["needs"])
        if needs not in NEEDS:
            yield f"{where}: needs is {needs!r}{nearest(needs, NEEDS)}"
        if code not in CATALOGUE:
            file = folder / code / f"{name}.py" if (folder / code).is_dir() else folder / code
            if not file.is_file():
                yield f"{where}: {file} does not exist{nearest(code, CATALOGUE)}"
            continue
        ours = repair_catalogue()
        if name not in ours:
            yield f"{where}: no repair {name!r} in the catalogue{nearest(name, ours)}"
            continue
        for need in repair_spec_of(ours[name]).needs:
            if (file_needed := FILE_OF.get(need)) and not _covers(needs, file_needed):
                yield f"{where}: {name} needs {file_needed}, but the entry names {needs}"


def _covers(needs: str, file: str) -> bool:
    return needs == file or (needs, file) == (layout.VIEWS, layout.PREDICTIONS)


def _arms(params: Params, plan: Plan) -> Iterator[str]:
    scores = {
        layout.scores_file(name, metric): metric for name, b in plan["batches"].items() for metric in b["metrics"]
    }
    folders = [layout.SCORES, *(f"{layout.SCORES}/{name}" for name in plan["batches"])]
    subsets = [layout.subset_file(name) for name in plan["arms"]]
    edits = [layout.edits_file(name) for name in plan["repairs"]]
    everything = [*NEEDS, *edits, *TRUTHS, *scores, *folders, *subsets]
    lacking = {
        layout.TRUTH: params.data.corrupt.preset == "none"
        and "no mistakes are made on purpose (data.corrupt.preset is none), so no truth is known",
        layout.SECOND: not params.data.second_labels and "data.second_labels names no second labelling",
        layout.BEFORE: not params.data.labels and "data.labels names no version of repaired labels",
    }
    for name, arm in plan["arms"].items():
        where = f"arms.{name}"
        policy, options = check_policy(arm["policy"])
        unknown = [key for key in ("a", "b") if str(arm[key]) not in everything]
        for key in unknown:
            alike = [path for path in everything if path.partition("/")[0] == str(arm[key]).partition("/")[0]]
            yield f"{where}: nothing writes its {key}, {arm[key]!r}{nearest(str(arm[key]), alike or everything)}"
        if unknown:
            continue
        for file in sorted({arm["a"], arm["b"]} & lacking.keys()):
            if why := lacking[file]:
                yield f"{where} reads {file}, but {why}"
        for key, wanted in _inputs(policy, options).items():
            groups = {"scores": scores, "folders of scores": folders, "the truth": TRUTHS, "a subset": subsets,
                      "the embeddings": [layout.EMBEDDINGS], "the edits of the repair": edits}  # fmt: skip
            if arm[key] not in groups[wanted]:
                yield f"{where}: the policy {policy} reads {wanted} as {key}, found {arm[key]!r}"
        mend = getattr(options, "mend", None)
        if mend and arm["b"] != (file := layout.edits_file(mend.repair)):
            yield f"{where}: mend names the repair {mend.repair}, so b is {file}, found {arm['b']!r}"
        named, read = arm.get("metric"), scores.get(arm["b"] if policy == "relabel" else arm["a"])
        if named and read and named != read:
            yield f"{where}: metric is {named}, but its scores are those of {read}"


def _inputs(policy: str, options: Any) -> dict[str, str]:
    """What the inputs of a policy must be: key -> kind."""
    reads = POLICIES[policy].reads
    kinds = {}
    if reads in ("scores", "object scores", "scores and embeddings"):
        kinds["a"] = "folders of scores" if getattr(options, "objectives", None) else "scores"
    if reads == "truth":
        kinds["a"] = "the truth"
    if reads == "subset":
        kinds["b"] = "a subset"
    if policy == "relabel" or getattr(options, "combine", None):
        kinds["b"] = "scores"
    if getattr(options, "mend", None):
        kinds["b"] = "the edits of the repair"
    if needs_embeddings(policy, options):
        kinds["b"] = "the embeddings"
    return kinds


def _seeds(plan: Plan) -> Iterator[str]:
    for section in ("screens", "blocks"):
        first: dict[tuple[str, int], str] = {}
        for name, entry in plan[section].items():
            for seed in parse_seeds(entry["seeds"]):
                other = first.setdefault((entry["arm"], seed), name)
                if other != name:
                    yield f"{section}.{name} has seed {seed} of {entry['arm']}, as {other} has; give it other seeds"
                    break


def nearest(name: str, known: Any) -> str:
    """`; did you mean 'x'?`, or the known names where none is near and they are few."""
    few = f"known: {', '.join(known) or 'none'}" if len(known) < 9 else "for all of them: metricloop score --list"
    return f"; {did_you_mean(name, known, few, cutoff=0.5)}"
