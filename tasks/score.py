"""score@BATCH: score every image, or every labelled object, of the pool by each metric of a batch."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from metricloop import layout
from metricloop.data.pool import read_pool
from metricloop.data.tables import SCORES, UNSAFE, write_json, write_table
from metricloop.execution.engine import open_engine
from metricloop.params import load_params
from metricloop.runtime.progress import shown
from metricloop.runtime.stage_start import begin_stage
from metricloop.sandbox.limits import Limits
from metricloop.sandbox.tiers import tier
from metricloop.scoring.batch import SandboxedBatch
from metricloop.scoring.metric_inputs import read_inputs
from metricloop.scoring.open_metrics import open_batch
from metricloop.scoring.score_pool import SLACK, patience, score_pool, unopened
from metricloop.study.plan import entry_of, load_plan
from metricloop.text.clean import clean


def arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """`BATCH [--code CODE --needs FILE --metrics NAME ...]`, as DVC writes a batch; what is missing is in the plan."""
    parser = argparse.ArgumentParser(prog="metricloop.tasks.score")
    parser.add_argument("batch")
    parser.add_argument("--code")
    parser.add_argument("--needs")
    parser.add_argument("--metrics", nargs="+")
    given = parser.parse_args(argv)
    if None in (given.code, given.needs, given.metrics):
        vars(given).update(entry_of(load_plan(), "batches", given.batch))
    return given


def main(argv: Sequence[str]) -> None:
    begin_stage(f"score@{argv[0]}")
    item = arguments(argv)
    params = load_params()
    failed: dict[str, str] = {}
    generated = item.code.startswith(f"{layout.GENERATED}/")  # a failure drops its arm and does not stop the study
    give_up = failed.__setitem__ if generated else None
    limits, unsafe = Limits.of(params.sandbox), os.environ.get(UNSAFE) == "1"
    batch = open_batch(item.code, item.metrics, limits=limits, unsafe=unsafe, give_up=give_up)
    if batch.trust == "unsafe-in-process":
        print(f"unsafe: {item.code}, which nobody has read, runs in this process without the sandbox", file=sys.stderr)
    pool = read_pool(layout.DATA, params.data.folder.absolute())
    if generated and isinstance(batch, SandboxedBatch):
        batch = replace(batch, pace=SLACK * patience(params, len(pool)))

    with shown(f"score {item.batch}", "images") as show:
        tables = score_pool(
            pool,
            batch,
            **read_inputs(item.needs, pool),
            store=Path(layout.KNOWN_SCORES),
            jobs=params.score.jobs,
            engine=open_engine(params.execution),
            max_failures=params.score.max_failures,
            progress=show,
            give_up=give_up,
        )
    failed = {name: clean(said) for name, said in failed.items()}
    tables |= {name: unopened(pool, said) for name, said in failed.items() if name not in tables}
    for name, columns in tables.items():
        stamp = {UNSAFE: "yes"} if batch.trust == "unsafe-in-process" else {}
        write_table(layout.scores_file(item.batch, name), SCORES, columns, stamp)
        unknown = int(np.isnan(columns["score"]).sum())
        failures = sum(error is not None for error in columns["error"])
        said = f"{len(columns['score'])} scores, {unknown} unknown, {failures} of these failed"
        print(f"score {item.batch}: {name}: {said}")
    contained = tier() if batch.trust == "sandbox" else None
    write_json(layout.trust_file(item.batch), {"trust": batch.trust, "tier": contained})
    if failed:
        write_json(layout.failures_file(item.batch), failed)


if __name__ == "__main__":
    main(sys.argv[1:])
