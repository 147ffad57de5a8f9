"""ingest: a data set in any common format becomes the tables of a study; everything odd is listed."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from metricloop.data.formats import read
from metricloop.data.ingest import IngestError, ingest, write
from metricloop.data.summary import describe
from metricloop.params import load_params
from metricloop.runtime.stage_start import begin_stage

FOLDER = Path("data")


def _show(done: int, total: int) -> None:
    if done % max(1, total // 10) == 0 or done == total:
        print(f"ingest: {done}/{total} pictures read", file=sys.stderr, flush=True)


def main() -> None:
    begin_stage("ingest")
    params = load_params()
    data = params.data
    tables = ingest(
        read(data.source, data.format, data.categories),
        Path(os.path.abspath(data.folder)),
        corrupt=data.corrupt,
        search_share=data.search_share,
        test_share=data.test_share,
        seed=params.study.seed,
        jobs=-1,
        progress=_show,
    )
    for name in ("search", "test"):  # better now than after all training
        if not tables.summary["splits"].get(name, {}).get("boxes"):
            raise IngestError(
                f"the {name} split holds no labelled object to evaluate on; hold out more with data.{name}_share, or "
                "name other splits in the source"
            )
    write(tables, FOLDER)
    print(describe(tables.summary))


if __name__ == "__main__":
    main()
