"""suggest: a round's ideas become files of code and arms; metric, direction and policy are fixed before any trial."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from detection.frame import Frame
from detection.tables import read_yaml, replacing
from llm.replay import load_cassette, replay
from llm.suggestion import Suggestion
from metrics.batch import sandbox
from metrics.contained import Source
from metrics.contract import MetricError, Spec
from metrics.gate import pass_gate
from metrics.loading import catalogue as load_catalogue
from metrics.loading import open_batch
from metrics.trust import UNSAFE
from sandbox.limits import Limits
from sandbox.tiers import missing
from tasks.guard import hold, tell_errors_briefly, tie_to_ancestors
from tasks.params import Params, load_params
from tasks.plan import load_plan, write_rounds
from tasks.policies import check_policy
from tasks.pool import read_pool
from tasks.score import PREDICTED, read_predictions
from tasks.specimens import scores_so_far, specimens

JOURNAL = Path("journal.jsonl")
GENERATED = "metrics/generated"  # folder of the workspace; one folder a round, one file a metric


def arms_of_round(
    number: int,
    suggestions: Sequence[Suggestion],
    plan: dict[str, Any],
    seeds: str,
    declare: Callable[[Suggestion], Spec],
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Turn suggestions into an addition to rounds.yaml, and journal entries that say what became of each.

    declare: the metric a suggestion's code declares, read within the walls; MetricError where there is none.
    A suggestion that cannot be tried (code that does not load, unfit policy, name taken) is refused with the reason
    and kept in the journal.
    """
    taken = {metric for item in plan["batches"].values() for metric in item["metrics"]} | set(load_catalogue())
    addition: dict[str, Any] = {"batches": {}, "arms": {}, "blocks": {}}
    entries = []
    for suggestion in suggestions:
        name, metric = suggestion.name, suggestion.metric
        reason = _refusal(suggestion, taken, {*plan["arms"], *addition["arms"]})
        if reason is None:
            try:
                spec = declare(suggestion)
            except MetricError as error:
                reason = str(error)
        entries.append(
            {"event": "refused" if reason else "accepted", "round": number, "reason": reason}
            | {"suggestion": suggestion.model_dump(mode="json")}
        )
        if reason:
            continue
        predicted = "predictions" in spec.needs
        batch = f"round{number}-{'model' if predicted else 'pool'}"
        needs = "data/predictions.parquet" if predicted else "data/images.parquet"
        empty: dict[str, Any] = {"code": f"{GENERATED}/{number}", "needs": needs, "metrics": []}
        addition["batches"].setdefault(batch, empty)["metrics"].append(metric)
        addition["arms"][name] = suggestion.arm(f"scores/{batch}/{metric}.parquet")
        addition["blocks"][f"{name}.0"] = {"arm": name, "seeds": seeds}
        taken.add(metric)
    return addition, entries


def _refusal(suggestion: Suggestion, metrics: Collection[str], arms: Collection[str]) -> str | None:
    if suggestion.metric in metrics:
        return f"a metric is called {suggestion.metric!r} already"
    if suggestion.name in arms:
        return f"an arm is called {suggestion.name!r} already"
    try:
        check_policy(suggestion.policy)
    except ValueError as error:
        return str(error)
    return None


def admit(
    suggestion: Suggestion,
    number: int,
    limits: Limits,
    frames: Sequence[Frame] = (),
    earlier: Mapping[str, Sequence[np.ndarray]] | None = None,
) -> Spec:
    """Hold a suggestion's code to the rules of the gate, within the walls, and write it to its place in the workspace.

    frames, earlier: see `metrics.gate.pass_gate`; without frames the code only has to load.
    Errors: MetricError with the rules it broke; then no file is written.
    """
    path = Path(GENERATED) / str(number) / f"{suggestion.metric}.py"
    passage = pass_gate(sandbox(limits), Source(suggestion.code, path.as_posix()), suggestion.metric, frames, earlier)
    if passage.spec is None or not passage.accepted:
        raise MetricError("; ".join(f"{finding.rule}: {finding.said}" for finding in passage.broken))
    with replacing(path) as temporary:
        temporary.write_text(suggestion.code)
    return passage.spec


def admit_unread(suggestion: Suggestion, number: int) -> Spec:
    """Write a suggestion's code to its place and execute it in this process. Only ever because a person typed it.

    Errors: MetricError when it declares no such metric.
    """
    path = Path(GENERATED) / str(number) / f"{suggestion.metric}.py"
    with replacing(path) as temporary:
        temporary.write_text(suggestion.code)
    return open_batch(str(path.parent), [suggestion.metric], unsafe=True).specs[0]


def _gate(number: int, params: Params) -> Callable[[Suggestion], Spec]:
    pool, found = read_pool("data", params.data.folder), Path(PREDICTED)
    rows, frames = specimens(pool, read_predictions(found) if found.is_file() else None)
    earlier = scores_so_far(Path(), pool, rows)
    return lambda suggestion: admit(suggestion, number, Limits.of(params.sandbox), frames, earlier)


def main(number: int) -> None:
    tell_errors_briefly("suggest")
    tie_to_ancestors()
    hold(Path(".metricloop/locks/suggest.lock"))
    params = load_params()
    done = [json.loads(line) for line in JOURNAL.read_text().splitlines()] if JOURNAL.is_file() else []
    if any(entry["round"] == number for entry in done):
        return  # this round's suggestions are in rounds.yaml already
    unsafe = os.environ.get(UNSAFE) == "1"
    if (lacks := missing()) and not unsafe:
        print(f"round {number}: left out, because its metrics are unread code and there is no sandbox here: {lacks[0]}")
        return
    cassette = load_cassette(params.llm.cassette)
    suggestions = replay(cassette, number)
    print(f"round {number}: {len(suggestions)} suggestions recorded on {cassette.recorded} from {cassette.model}")
    names = {suggestion.name for suggestion in suggestions}
    plan = load_plan()
    written = (read_yaml("rounds.yaml").get("arms") or {}) if Path("rounds.yaml").is_file() else {}
    # arms of this round are there already when a kill came between the two files below
    plan["arms"] = {name: arm for name, arm in plan["arms"].items() if not (name in names and name in written)}
    plan["batches"] = {n: item for n, item in plan["batches"].items() if item["code"] != f"{GENERATED}/{number}"}
    addition, entries = arms_of_round(
        number,
        suggestions,
        plan,
        f"0-{params.seeds.block - 1}",
        (lambda suggestion: admit_unread(suggestion, number)) if unsafe else _gate(number, params),
    )
    write_rounds(addition)
    with JOURNAL.open("a") as stream:  # after rounds.yaml: a round is done when it is in the journal
        stream.write("".join(json.dumps(entry) + "\n" for entry in entries))
    for entry in entries:
        idea = entry["suggestion"]
        said = f"refused: {entry['reason']}" if entry["reason"] else f"{idea['metric']}, {idea['policy']}"
        print(f"round {number}: {idea['name']}: {said}")


if __name__ == "__main__":
    main(int(sys.argv[1]))
