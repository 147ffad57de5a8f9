"""second_labels: read a second labelling of some images, and compare the pool's labels with it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from metricloop import layout
from metricloop.data.label_errors import UNJUDGED
from metricloop.data.loading import load
from metricloop.data.problem_list import write_problems
from metricloop.data.second_labels import Second, second_labels
from metricloop.data.tables import TRUTH, write_table
from metricloop.params import Data, load_params
from metricloop.runtime.stage_start import begin_stage


def main() -> None:
    begin_stage("second_labels")
    found, images = compare_labels(load_params().data)
    print(f"second labels: {describe(found, images)}")


def compare_labels(data: Data) -> tuple[Second, int]:
    """Write what a second labelling says of the pool's labels into data/ of the current folder.

    Returns it, and the number of the pool's images. Errors: SourceError, SecondLabelsError.
    """
    images = load(layout.DATA, data.folder, labels=False)
    pool = load(layout.DATA, data.folder, "pool")
    found = second_labels(Path(data.second_labels), images, pool, data.categories, data.second_iou)
    write_table(layout.SECOND, TRUTH, found.columns)
    write_problems(Path(layout.SECOND_PROBLEMS), found.problems)
    return found, len(pool)


def describe(found: Second, images: int) -> str:
    """The comparison in one line. images: how many the pool has."""
    counts, odd = Counter(found.columns["mistake"]), len(found.problems)
    told = ", ".join(f"{counts[name]} {name}" for name in sorted(counts.keys() - {UNJUDGED, "none"}))
    return (
        f"of {found.judged} of the pool's {images} images; {counts['none']} labels agree"
        f"{f', {told}' if told else ''}; {odd} problem{'s' * (odd != 1)}, in {layout.SECOND_PROBLEMS}"
    )


if __name__ == "__main__":
    main()
