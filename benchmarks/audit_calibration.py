"""How far the probabilities of an audit can be believed: false alarms, precision of its lists, and a calibration curve.

python -P benchmarks/audit_calibration.py PLOT.png WORKSPACE...   (workspaces that `metricloop audit` has been run in)

Prints Markdown. Nothing is trained: the predictions on disk are used. Where nothing is known of the mistakes, what is
listed is counted as a false alarm.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np

from metricloop import layout
from metricloop.auditing.calibrate import calibrate
from metricloop.auditing.evidence import gather
from metricloop.auditing.label_errors import KINDS, Kind
from metricloop.auditing.run import Audit, audit, label_scores
from metricloop.auditing.truth import Truth
from metricloop.params import load_params
from metricloop.scoring.metric_inputs import read_predictions

EDGES = np.array([0.0, 0.05, 0.2, 0.35, 0.5, 0.65, 0.8, 1.0])
FIRST = 50


def wrong(kind: Kind, truth: Truth) -> tuple[np.ndarray, np.ndarray]:
    """Two arrays of bool for the boxes (or images) of a kind of error: wrong in this way, and wrong in any way."""
    if kind.unit == "image":
        return truth.unlabelled, truth.unlabelled
    return np.isin(truth.boxes, kind.mistakes), truth.wrong


def lists(name: str, found: Audit) -> list[str]:
    """A line per kind of the table of lists."""
    rows = []
    for kind in found.kinds:
        told = found.expected.get(kind.name)
        if told is None:  # copies are facts
            continue
        listed, known = found.suspects[kind.name], "| "
        if found.truth is not None:
            marks = [found.truth.mistake(one.row, one.box) for one in listed if one.split == "pool"]
            first = [mark for mark in marks if mark != "unjudged"][:FIRST]
            ways = (sum(mark in kind.mistakes for mark in first), sum(mark != "none" for mark in first), len(first))
            in_pool = int(wrong(kind, found.truth)[0].sum())
            known = f"{'{} / {} of {}'.format(*ways) if first else ''} | {in_pool}"
        promised = "" if told.precision is None else f"{told.precision:.0%}"
        careful = "" if told.wrong is None else f"{told.wrong:.0f}"
        rows.append(
            f"| {name} | {kind.name} | {len(listed)} | {promised} | {known} | {careful} | {told.silent or ''} |"
        )
    return rows


def reliability(folder: Path, found: Audit) -> np.ndarray:
    """Probability, wrong in this way (0, 1), and in any way, of every label and image of the pool that was judged, of
    all kinds together, (n, 3)."""
    params, truth = load_params(folder / layout.PARAMS), found.truth
    assert truth is not None
    predictions = read_predictions(folder / layout.PREDICTIONS)
    scores, _ = label_scores(found.pool, predictions, store=folder / layout.KNOWN_SCORES, jobs=params.score.jobs)
    parts = [np.zeros((0, 3))]
    for kind in KINDS:
        if kind.name in found.expected and found.expected[kind.name].wrong is not None:
            made = calibrate(gather(kind, found.pool, scores, predictions, jobs=params.score.jobs))
            if made is not None:
                known = truth.judged if kind.unit == "image" else truth.judged_boxes
                parts.append(np.stack([made.probability, *wrong(kind, truth)], axis=1)[known])
    return np.concatenate(parts)


def binned(cases: np.ndarray) -> np.ndarray:
    """Mean probability, shares that are wrong, and number, of each bin of the probability with ten cases or more."""
    place = np.clip(np.searchsorted(EDGES, cases[:, 0], "right") - 1, 0, len(EDGES) - 2)
    bins = [cases[place == own] for own in range(len(EDGES) - 1)]
    return np.array([[*own.mean(axis=0), len(own)] for own in bins if len(own) >= 10]).reshape(-1, 4)


def table(*lines: str) -> None:
    """Print a table: its header, then its rows."""
    columns = lines[0].count("|") - 1
    print("\n".join([lines[0], "|" + "---|" * columns, *lines[1:]]), end="\n\n")


def main(target: str, *folders: str) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(5.2, 5), layout="constrained")
    axes.plot([0, 1], [0, 1], color="0.6", linestyle="--", linewidth=1, label="as often as it says")
    clean, rows, curves, cases = [], [], [], []
    for folder in map(Path, folders):
        os.chdir(folder)
        found = audit(folder, load_params(layout.PARAMS), predicted=True, most=10**6)
        assert found.model is not None
        rows += lists(folder.name, found)
        if found.truth is None:
            alarms, boxes = sum(len(found.suspects[kind]) for kind in found.expected), len(found.data.boxes)
            rate = f"{100 * alarms / boxes:.1f}"
            clean.append(f"| {folder.name} | {found.model['mAP']:.2f} | {boxes:,} | {alarms} | {rate} |")
            continue
        cases.append(reliability(folder, found))
        curve = binned(cases[-1])
        curves += [
            f"| {folder.name} | {n:,.0f} | {said:.0%} | {way:.0%} | {any_:.0%} |" for said, way, any_, n in curve
        ]
        axes.plot(curve[:, 0], curve[:, 2], marker="o", markersize=4, label=folder.name)
    if cases:
        every = binned(np.concatenate(cases))
        curves += [f"| **all** | {n:,.0f} | {said:.0%} | {way:.0%} | {any_:.0%} |" for said, way, any_, n in every]
        axes.plot(every[:, 0], every[:, 1], color="0.2", linewidth=2.5, label="all, wrong in this very way")
    axes.set(xlabel="probability that the audit gives", ylabel="share that is wrong in any way")
    axes.set(xlim=(0, 1), ylim=(0, 1.02))
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="lower right", fontsize=9)
    figure.savefig(target, dpi=110)
    table("| clean labels | out-of-fold mAP | boxes | listed | per 100 boxes |", *clean)
    table(
        f"| data | kind | listed | expected to be wrong | in this way / in any way wrong of the first {FIRST} | "
        "wrong in this way in the pool | careful estimate, all splits | |",
        *rows,
    )
    table("| data | labels and images | said | wrong in this way | in any way |", *curves)


if __name__ == "__main__":
    main(str(Path(sys.argv[1]).absolute()), *[str(Path(own).absolute()) for own in sys.argv[2:]])
