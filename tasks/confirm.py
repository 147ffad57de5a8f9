"""confirm: evaluate the winner, the baseline and the oracle on the test split. No other stage reads that split.

The arms are trained again with seeds that the study has not used. Without a winner nothing happens. Every time the test
split is read, a line is added to opened.jsonl, so that a second reading does not stay hidden.
"""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path

from metricloop import layout
from metricloop.comparison.confirmation import confirmed_gains
from metricloop.comparison.results import Result
from metricloop.data.seeds import CONFIRM_SEEDS
from metricloop.data.tables import read_json, write_json
from metricloop.params import load_params
from metricloop.runtime.stage_start import begin_stage
from metricloop.training.judged_trial import train_and_evaluate
from metricloop.training.parallel import run_trials
from metricloop.training.trials import read_inputs, trial_of

NUMBERS = ("mAP", "mAP50", "mAR")


def main() -> None:
    begin_stage("confirm")
    params = load_params()
    chosen = read_json(layout.FINALISTS)
    finalists = {role: entry["arm"] for role, entry in chosen["arms"].items()}
    fresh = {"arms": list(CONFIRM_SEEDS[: params.confirm.seeds])}
    fresh["baseline"] = list(CONFIRM_SEEDS[: params.confirm.baseline])
    seeds = {role: fresh["baseline" if role == "baseline" else "arms"] for role in finalists}
    asked = [(arm, seed) for role, arm in finalists.items() for seed in seeds[role]]
    if asked:
        _record_opening(params.study.name, list(finalists.values()), fresh)
    trials = [trial_of(f"confirm {arm} seed {seed}", arm, seed) for arm, seed in asked]
    inputs = read_inputs(params, "test") if asked else None
    scored = run_trials(train_and_evaluate, trials, inputs, params) if inputs else []
    of_trial = dict(zip(asked, scored, strict=True))
    results = [
        Result(
            block=f"confirm {arm}",
            arm=role,
            numbers={seed: of_trial[arm, seed][0] for seed in seeds[role]},
            matches={seed: of_trial[arm, seed][1] for seed in seeds[role]},
            recipe={},
        )
        for role, arm in finalists.items()
    ]
    test = inputs.held_out if inputs else None
    write_json(
        layout.CONFIRMATION,
        {
            "study": params.study.name,
            "split": "test",
            "reason": chosen["reason"],
            "test_images": len(test) if test else None,
            "seeds": fresh if results else {},
            "arms": {
                own.arm: {"arm": finalists[own.arm]}
                | {name: [values[name] for values in own.numbers.values()] for name in NUMBERS}
                for own in results
            },
            "gain": confirmed_gains(params.study.name, results, test) if test else {},
        },
    )
    for _, _, trained in scored:
        trained.clear_scratch()


def _record_opening(study: str, arms: list[str], seeds: dict[str, list[int]]) -> None:
    """Append one line to opened.jsonl, before the test split is read."""
    entry = {"opened": datetime.now(UTC).isoformat(timespec="seconds"), "study": study, "arms": arms, "seeds": seeds}
    with Path(layout.OPENINGS).open("a") as stream:
        stream.write(json.dumps(entry) + "\n")
        stream.flush()
        os.fsync(stream.fileno())


if __name__ == "__main__":
    main()
