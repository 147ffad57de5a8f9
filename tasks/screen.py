"""screen@NAME: short trials of an arm on the search split, which decide whether it gets full ones."""

from __future__ import annotations

from pathlib import Path

from metricloop import layout
from metricloop.data.loading import load
from metricloop.data.manifest import read_draw
from metricloop.data.tables import write_json
from metricloop.params import load_params
from metricloop.runtime.stage_start import begin_stage
from metricloop.study.blocks import block_from_arguments
from metricloop.training.short_trial import short_trial, shortened


def main() -> None:
    screen = block_from_arguments()
    begin_stage(f"screen@{screen.name}")
    params = load_params()
    pool = load(layout.DATA, params.data.folder, "pool", labels=False)
    search = load(layout.DATA, params.data.folder, "search")
    manifest = Path(layout.subset_file(screen.arm))
    found = {
        seed: short_trial(f"{screen.name} seed {seed}, short", pool, search, read_draw(manifest, seed), params, seed)
        for seed in screen.seeds
    }
    numbers = {str(seed): numbers for seed, (numbers, _) in found.items()}
    iterations = shortened(params).train.iterations
    write_json(layout.screening_file(screen.name), {"arm": screen.arm, "iterations": iterations, "seeds": numbers})
    for _, trained in found.values():
        trained.clear_scratch()


if __name__ == "__main__":
    main()
