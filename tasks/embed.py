"""embed: vectors of all pictures and of the pool's boxes, and fingerprints to find near-duplicates."""

from __future__ import annotations

import sys
from pathlib import Path

from metricloop import layout
from metricloop.data.loading import load
from metricloop.data.pool import read_pool
from metricloop.params import load_params
from metricloop.runtime.stage_start import begin_stage
from metricloop.training.embed_pool import HELD_OUT, embed_all
from metricloop.training.parallel import cores


def main() -> None:
    begin_stage("embed")
    params = load_params()
    folder = params.data.folder
    held_out = [load(layout.DATA, folder, split=split, labels=False) for split in HELD_OUT]
    made = embed_all([read_pool(layout.DATA, folder), *held_out], params, Path(layout.EMBEDDINGS), cores())
    print(f"embed: {made} vectors of {params.embed.model}", file=sys.stderr)


if __name__ == "__main__":
    main()
