"""mend@REPAIR: run a repair on every image of the pool, and write down the edits of labels that it proposes."""

from __future__ import annotations

import argparse
import os
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from metricloop import layout
from metricloop.data.edits import EDITS, edit_columns
from metricloop.data.pool import read_pool
from metricloop.data.tables import FAILED, UNSAFE, write_table
from metricloop.mending.mend_pool import MendError, mend_pool
from metricloop.mending.open_repair import SandboxedRepair, open_repair
from metricloop.metrics.contract import MetricError
from metricloop.metrics.repair_contract import RepairError
from metricloop.params import load_params
from metricloop.runtime.progress import shown
from metricloop.runtime.stage_start import begin_stage
from metricloop.sandbox.limits import Limits
from metricloop.scoring.metric_inputs import MetricInputs, read_inputs
from metricloop.scoring.score_pool import SLACK, patience
from metricloop.study.plan import entry_of, load_plan
from metricloop.text.clean import clean


def arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """`REPAIR [--code CODE --needs FILE]`, as DVC writes a repair; what is missing is in the plan."""
    parser = argparse.ArgumentParser(prog="metricloop.tasks.mend")
    parser.add_argument("repair")
    parser.add_argument("--code")
    parser.add_argument("--needs")
    given = parser.parse_args(argv)
    if None in (given.code, given.needs):
        vars(given).update(entry_of(load_plan(), "repairs", given.repair))
    return given


def main(argv: Sequence[str]) -> None:
    begin_stage(f"mend@{argv[0]}")
    item = arguments(argv)
    params = load_params()
    generated = item.code.startswith(f"{layout.GENERATED}/")  # a failure drops its arms and does not stop the study
    pool = read_pool(layout.DATA, params.data.folder)
    inputs = MetricInputs(pool, **read_inputs(item.needs, pool))
    unsafe, stamp = os.environ.get(UNSAFE) == "1", {FAILED: "", "trust": "sandbox"}
    try:
        repair = open_repair(item.code, item.repair, limits=Limits.of(params.sandbox), unsafe=unsafe)
        stamp["trust"] = repair.trust
        if generated and isinstance(repair, SandboxedRepair):
            repair = replace(repair, pace=SLACK * patience(params, len(pool)))
        with shown(f"mend {item.repair}", "images") as show:
            columns = mend_pool(inputs, repair, max_failures=params.score.max_failures, progress=show)
    except (MendError, RepairError, MetricError) as error:
        if not generated:
            raise
        stamp[FAILED] = clean(str(error))
        columns = edit_columns(pool, {}, {})
    if stamp["trust"] == "unsafe-in-process":
        print(f"unsafe: {item.code}, which nobody has read, ran in this process without the sandbox", file=sys.stderr)
        stamp[UNSAFE] = "yes"
    write_table(layout.edits_file(item.repair), EDITS, columns, stamp)
    kinds = Counter(kind or "failed" for kind in columns["kind"])
    said = ", ".join(f"{number} {kind}" for kind, number in sorted(kinds.items())) or "no edits"
    print(f"mend {item.repair}: {stamp[FAILED] or said}, {len(pool)} images")


if __name__ == "__main__":
    main(sys.argv[1:])
