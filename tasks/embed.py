"""embed: a vector of every picture and of every box of the pool, and what near-duplicates are known by."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from metricloop.data.loading import load
from metricloop.data.pool import read_pool
from metricloop.params import load_params
from metricloop.runtime.stage_start import begin_stage

if TYPE_CHECKING:
    pass
from metricloop.training.embed_pool import HELD_OUT, cores, embed_all


def main() -> None:
    begin_stage("embed")
    params = load_params()
    folder = params.data.folder
    held_out = [load("data", folder, split=split, labels=False) for split in HELD_OUT]
    made = embed_all([read_pool("data", folder), *held_out], params, Path("data/embeddings.parquet"), cores())
    print(f"embed: {made} vectors of {params.embed.model}", file=sys.stderr)


if __name__ == "__main__":
    main()
