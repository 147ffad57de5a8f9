"""compare: compare every evaluated arm with the baseline, on the search split; writes comparison.json."""

from __future__ import annotations

from pathlib import Path

from metricloop import layout
from metricloop.comparison.compare import compare, read_results, subset_size
from metricloop.comparison.finalists import finalists
from metricloop.data.loading import load
from metricloop.data.tables import UNSAFE, stamp_of, write_json
from metricloop.params import load_params
from metricloop.runtime.stage_start import begin_stage
from metricloop.study.plan import load_plan


def main() -> None:
    begin_stage("compare")
    params = load_params()
    plan = load_plan()
    results = read_results(plan)
    subsets = {result.arm: Path(layout.subset_file(result.arm)) for result in results}
    comparison = compare(
        params.study.name,
        params.study.budget,
        plan,
        results,
        load(layout.DATA, params.data.folder, "search"),
        {arm: subset_size(file) for arm, file in subsets.items()},
        unsafe={arm for arm, file in subsets.items() if UNSAFE in stamp_of(file)},
        alpha=params.compare.alpha,
        replicates=params.compare.bootstrap,
        tests_planned=-(-params.seeds.max // params.seeds.block),
    )
    write_json(layout.COMPARISON, comparison)
    write_json(layout.FINALISTS, finalists(comparison, Path(layout.SUBSETS)))


if __name__ == "__main__":
    main()
