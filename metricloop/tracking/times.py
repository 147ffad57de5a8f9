"""When trials and other runs began and ended, in milliseconds since 1970."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from metricloop import layout
from metricloop.data.tables import column, read_json
from metricloop.tracking.records import RunRecord

SECOND = 1000


def trial_times(folder: Path, block: str) -> dict[int, tuple[int, int]]:
    """Seed -> (began, ended) of a block's trials, which run one after the other; {} where the clocks are gone.

    The table of rates is written when the last trial has ended. A trial lasted as long as its images took at its mean
    rate, which is the one of its last iteration.
    """
    rates, recipe = folder / layout.rates_file(block), folder / layout.recipe_file(block)
    if not rates.is_file() or not recipe.is_file():
        return {}
    batch, table = read_json(recipe)["fields"]["batch_size"], pq.read_table(rates)
    seeds, rate = column(table, "seed"), column(table, "images_per_s")
    order = list(dict.fromkeys(seeds.tolist()))
    seconds = [batch * np.count_nonzero(seeds == seed) / float(rate[seeds == seed][-1]) for seed in order]
    end = rates.stat().st_mtime - sum(seconds)
    ends = [end + passed for passed in accumulate(seconds)]
    return {
        seed: (round(SECOND * (ended - lasted)), round(SECOND * ended))
        for seed, ended, lasted in zip(order, ends, seconds, strict=True)
    }


def during(run: RunRecord, parts: Sequence[RunRecord]) -> RunRecord:
    """The run with the time from the beginning of its first part to the end of its last one."""
    began = [part.began for part in parts if part.began is not None]
    ended = [part.ended for part in parts if part.ended is not None]
    return replace(run, began=min(began), ended=max(ended)) if began and ended else run
