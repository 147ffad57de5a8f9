"""second_labels: read a second labelling of some images, and compare the pool's labels with it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from metricloop import layout
from metricloop.data.label_errors import UNJUDGED
from metricloop.data.loading import load
from metricloop.data.problem_list import write_problems
from metricloop.data.second_labels import second_labels
from metricloop.data.tables import TRUTH, write_table
from metricloop.params import load_params
from metricloop.runtime.stage_start import begin_stage


def main() -> None:
    begin_stage("second_labels")
    data = load_params().data
    images = load(layout.DATA, data.folder, labels=False)
    pool = load(layout.DATA, data.folder, "pool")
    found = second_labels(Path(data.second_labels), images, pool, data.categories, data.second_iou)
    write_table(layout.SECOND, TRUTH, found.columns)
    write_problems(Path(layout.SECOND_PROBLEMS), found.problems)
    counts = Counter(found.columns["mistake"])
    told = ", ".join(f"{counts[name]} {name}" for name in sorted(counts.keys() - {UNJUDGED, "none"}))
    print(
        f"second labels: of {found.judged} of the pool's {len(pool)} images; {counts['none']} labels agree"
        f"{f', {told}' if told else ''}; {len(found.problems)} problems, in {layout.SECOND_PROBLEMS}"
    )


if __name__ == "__main__":
    main()
