"""compare: compare every evaluated arm with the baseline, on the search split; writes comparison.json.

What `dvc metrics` and `dvc plots` show of it is written, too.
"""

from __future__ import annotations

from pathlib import Path

from metricloop import layout
from metricloop.comparison.compare import compare
from metricloop.comparison.dvc_numbers import write_numbers
from metricloop.comparison.finalists import finalists
from metricloop.comparison.results import read_results, subset_size
from metricloop.comparison.screening import read_screening
from metricloop.data.loading import load
from metricloop.data.tables import UNSAFE, stamp_of, write_json
from metricloop.params import load_params
from metricloop.runtime.stage_start import begin_stage
from metricloop.study.looks import looks_of
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
        looks=looks_of(plan, params),
        unsafe={arm for arm, file in subsets.items() if UNSAFE in stamp_of(file)},
        screening=read_screening(plan),
        replicates=params.compare.bootstrap,
        smallest_gain=params.compare.smallest_gain,
    )
    write_json(layout.COMPARISON, comparison)
    write_numbers(comparison)
    write_json(layout.FINALISTS, finalists(comparison, Path(layout.SUBSETS), params.confirm.when))


if __name__ == "__main__":
    main()
