"""Plan more seeds than a study needs, so that its trials can be resampled into studies (benchmarks/statistics).

    python -P benchmarks/more_seeds.py WORKSPACE BASELINE_SEEDS ARM_SEEDS [ARM ...]
    metricloop run -C WORKSPACE

Without names, every arm gets ARM_SEEDS. Verdicts stay as they are: seeds beyond the last look do not count in them.
"""

from __future__ import annotations

import sys
from pathlib import Path

from metricloop.data.seeds import blocks_of, parse_seeds
from metricloop.study.plan import add_block, load_plan


def main() -> None:
    workspace, baseline, arms, *names = sys.argv[1:]
    plan = load_plan(workspace)
    for name, arm in plan["arms"].items():
        if names and name not in names and arm["role"] != "baseline":
            continue
        seeds = [parse_seeds(block["seeds"]) for block in plan["blocks"].values() if block["arm"] == name]
        wanted = int(baseline if arm["role"] == "baseline" else arms)
        for block in blocks_of(max((max(own) + 1 for own in seeds), default=0), wanted):
            add_block(Path(workspace), name, block)


if __name__ == "__main__":
    main()
