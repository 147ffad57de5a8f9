"""screen@NAME: short trials of an arm on the search split, which decide whether it gets full ones."""

from __future__ import annotations

from metricloop import layout
from metricloop.data.tables import write_json
from metricloop.params import load_params
from metricloop.runtime.stage_start import begin_stage
from metricloop.study.blocks import block_from_arguments
from metricloop.training.parallel import run_trials
from metricloop.training.short_trial import short_trial, shortened
from metricloop.training.trials import read_inputs, trial_of


def main() -> None:
    screen = block_from_arguments()
    begin_stage(f"screen@{screen.name}")
    params = load_params()
    trials = [trial_of(f"{screen.name} seed {seed}, short", screen.arm, seed) for seed in screen.seeds]
    found = run_trials(short_trial, trials, read_inputs(params, "search"), params, jobs=1)
    numbers = {str(seed): numbers for seed, (numbers, _) in zip(screen.seeds, found, strict=True)}
    iterations = shortened(params).train.iterations
    write_json(layout.screening_file(screen.name), {"arm": screen.arm, "iterations": iterations, "seeds": numbers})
    for _, trained in found:
        trained.clear_scratch()


if __name__ == "__main__":
    main()
