"""suggest: a round's ideas become arms in rounds.yaml; metric, direction and policy are fixed before any trial."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from detection.tables import read_yaml
from llm.replay import load_cassette, replay
from llm.suggestion import Suggestion
from metrics.contract import spec_of
from metrics.loading import catalogue as load_catalogue
from tasks.guard import hold, tell_errors_briefly, tie_to_ancestors
from tasks.params import load_params
from tasks.plan import load_plan, write_rounds
from tasks.policies import check_policy

JOURNAL = Path("journal.jsonl")


def arms_of_round(
    number: int, suggestions: Sequence[Suggestion], plan: dict[str, Any], seeds: str
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Turn suggestions into an addition to rounds.yaml, and journal entries that say what became of each.

    A metric that the study scores already is not scored again. A suggestion that cannot be tried (unknown metric,
    unfit policy, name taken) is refused with the reason and kept in the journal.
    """
    scored = {metric: batch for batch, item in plan["batches"].items() for metric in item["metrics"]}
    code = next((item["code"] for item in plan["batches"].values() if "catalogue" in item["code"]), "metrics/catalogue")
    catalogue = load_catalogue()
    addition: dict[str, Any] = {"batches": {}, "arms": {}, "blocks": {}}
    entries = []
    for suggestion in suggestions:
        reason = _refusal(suggestion, catalogue, plan)
        entries.append(
            {"event": "refused" if reason else "accepted", "round": number, "reason": reason}
            | {"suggestion": suggestion.model_dump(mode="json")}
        )
        if reason:
            continue
        metric = suggestion.metric
        if metric not in scored:
            predicted = "predictions" in spec_of(catalogue[metric]).needs
            batch = f"round{number}-{'model' if predicted else 'pool'}"
            needs = "data/predictions.parquet" if predicted else "data/images.parquet"
            addition["batches"].setdefault(batch, {"code": code, "needs": needs, "metrics": []})["metrics"].append(
                metric
            )
            scored[metric] = batch
        addition["arms"][suggestion.name] = suggestion.arm(f"scores/{scored[metric]}/{metric}.parquet")
        addition["blocks"][f"{suggestion.name}.0"] = {"arm": suggestion.name, "seeds": seeds}
    return addition, entries


def _refusal(suggestion: Suggestion, catalogue: dict[str, Any], plan: dict[str, Any]) -> str | None:
    if suggestion.metric not in catalogue:
        return f"no metric {suggestion.metric!r} in the catalogue"
    if suggestion.name in plan["arms"]:
        return f"an arm is called {suggestion.name!r} already"
    try:
        check_policy(suggestion.policy)
    except ValueError as error:
        return str(error)
    return None


def main(number: int) -> None:
    tell_errors_briefly("suggest")
    tie_to_ancestors()
    hold(Path(".metricloop/locks/suggest.lock"))
    params = load_params()
    done = [json.loads(line) for line in JOURNAL.read_text().splitlines()] if JOURNAL.is_file() else []
    if any(entry["round"] == number for entry in done):
        return  # this round's suggestions are in rounds.yaml already
    cassette = load_cassette(params.llm.cassette)
    suggestions = replay(cassette, number)
    print(f"round {number}: {len(suggestions)} suggestions recorded on {cassette.recorded} from {cassette.model}")
    names = {suggestion.name for suggestion in suggestions}
    plan = load_plan()
    written = (read_yaml("rounds.yaml").get("arms") or {}) if Path("rounds.yaml").is_file() else {}
    # arms of this round are there already when a kill came between the two files below
    plan["arms"] = {name: arm for name, arm in plan["arms"].items() if not (name in names and name in written)}
    addition, entries = arms_of_round(number, suggestions, plan, f"0-{params.seeds.block - 1}")
    write_rounds(addition)
    with JOURNAL.open("a") as stream:  # after rounds.yaml: a round is done when it is in the journal
        stream.write("".join(json.dumps(entry) + "\n" for entry in entries))
    for entry in entries:
        idea = entry["suggestion"]
        said = f"refused: {entry['reason']}" if entry["reason"] else f"{idea['metric']}, {idea['policy']}"
        print(f"round {number}: {idea['name']}: {said}")


if __name__ == "__main__":
    main(int(sys.argv[1]))
