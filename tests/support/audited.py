"""An audit of the made-up study: its findings are chosen by hand, nothing is scored or trained."""

from pathlib import Path

from metricloop.auditing.expected import Expected
from metricloop.auditing.label_errors import KINDS
from metricloop.auditing.run import Audit
from metricloop.auditing.suspects import Suspect
from metricloop.data.dataset import Dataset
from metricloop.data.formats.export import joined
from metricloop.data.loading import load

EXPECTED = {
    "placed": Expected(5.2, 0.62, None),
    "spurious": Expected(None, None, "no kind of error stands out here"),
}


def everything(folder: Path) -> Dataset:
    """All splits of the study, the pool's images first."""
    return joined([load(folder / "data", folder / "pictures", split) for split in ("pool", "search", "test")])


def audited(folder: Path) -> Audit:
    """Seven findings: three badly placed (the last of the test split), two of the wrong class, two missing labels."""
    data = everything(folder)
    pool = load(folder / "data", folder / "pictures", "pool")
    rows = [row for row in range(len(data)) if data.counts[row] and data.split[row] == "pool"]
    held_out = next(row for row in range(len(data)) if data.counts[row] and data.split[row] == "test")
    first = [int(data.offsets[row]) for row in (*rows[:4], held_out)]

    def near(box: int) -> tuple[float, float, float, float]:
        x1, y1, x2, y2 = (float(value) for value in data.boxes[box])
        return x1 + 1, y1 + 1, x2 + 1, y2 + 1

    def own(box: int) -> int:
        return int(data.labels[box])

    def other(box: int) -> int:
        return 1 - own(box)

    found = {
        "placed": [
            Suspect("placed", rows[0], first[0], 0.9, 0, (near(first[0]), own(first[0]), 0.8), "pool", 0.71, 0.5, 1),
            Suspect("placed", rows[1], first[1], 0.8, 1, None, "pool", 0.6, 0.5, 4),
            Suspect("placed", held_out, first[4], 0.7, 0, None, "test", None, 0.5, 7),
        ],
        "class": [
            Suspect("class", rows[2], first[2], 0.9, 0, (near(first[2]), other(first[2]), 0.7), "pool", None, 0.2, 2),
            Suspect("class", rows[3], first[3], 0.7, 0, (near(first[3]), other(first[3]), 0.6), "pool", None, 0.2, 5),
        ],
        "missing": [
            Suspect("missing", rows[4], -1, 0.9, 0, ((40.0, 40.0, 60.0, 58.0), 1, 0.9), "pool", 0.5, 0.5, 3),
            Suspect("missing", rows[5], -1, 0.8, 0, ((2.0, 2.0, 20.0, 30.0), 0, 0.4), "pool", 0.3, 0.5, 6),
        ],
    }  # fmt: skip
    model = {"folds": 2, "iterations": 250, "mAP": 0.5, "mAP_of_truth": None}
    kinds = [kind for kind in KINDS if kind.name in (*found, "spurious")]
    return Audit(pool, kinds, None, found, model, {"score": 1.0}, ["a note"], (), EXPECTED, data)
