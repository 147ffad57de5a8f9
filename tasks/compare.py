"""compare: every evaluated arm against the baseline, on the search split; writes comparison.json."""

from __future__ import annotations

from pathlib import Path

from metricloop.comparison.compare import compare, read_results, subset_size
from metricloop.comparison.finalists import finalists
from metricloop.data.loading import load
from metricloop.data.tables import stamp_of, write_json
from metricloop.params import load_params
from metricloop.runtime.stage_start import begin_stage
from metricloop.scoring.trust import UNSAFE
from metricloop.study.plan import load_plan


def _subset(arm: str) -> Path:
    return Path("subsets") / f"{arm}.parquet"


def main() -> None:
    begin_stage("compare")
    params = load_params()
    plan = load_plan(".")
    results = read_results(plan)
    comparison = compare(
        params.study.name,
        params.study.budget,
        plan,
        results,
        load("data", params.data.folder, "search"),
        {result.arm: subset_size(_subset(result.arm)) for result in results},
        unsafe={result.arm for result in results if UNSAFE in stamp_of(_subset(result.arm))},
        alpha=params.compare.alpha,
        replicates=params.compare.bootstrap,
        looks=-(-params.seeds.max // params.seeds.block),
    )
    write_json("comparison.json", comparison)
    write_json("finalists.json", finalists(comparison, Path("subsets")))


if __name__ == "__main__":
    main()
