"""The curves of the report: precision over recall on the search split, and the loss over the iterations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from metricloop.evaluation.average_precision import RECALL_LEVELS
from metricloop.figures.curves import Line, curves, ticks
from metricloop.report.trial_results import IOUS, Trials
from metricloop.text.numbers import count, fixed, listing

SMALL, TALL = 150, 240  # px: height of a figure in an arm's card, and of one by itself
POINTS = 60  # of a loss curve: each is the mean of neighbouring iterations
SHARES = [(tick / 4, fixed(tick / 4, 2) if tick % 4 else str(tick // 4)) for tick in range(5)]
Shown = Sequence[tuple[str, str, Trials]]  # (arm, CSS class, its trials)


def precision_figure(shown: Shown, height: int = SMALL) -> dict[str, Any] | None:
    """Precision over recall, a line per arm and IoU; None where no arm has any. The other IoUs are drawn dashed."""
    lines, areas = [], []
    for name, kind, trials in shown:
        if trials.precision is None:
            continue
        for iou in IOUS:
            curve = trials.precision[iou]
            style = f"{kind} iou{round(100 * iou)}"
            lines.append(Line(f"{name}, IoU {fixed(iou, 2)}", RECALL_LEVELS, curve, style))
        areas.append({"name": name, "kind": kind, "areas": [float(trials.precision[iou].mean()) for iou in IOUS]})
    if not lines:
        return None
    label = f"Precision over recall of {listing([str(area['name']) for area in areas])}"
    figure = curves(lines, 1.0, 1.0, label, height=height, across=SHARES, up=SHARES)
    return {"figure": figure, "areas": areas}


def loss_figure(shown: Shown, height: int = SMALL) -> dict[str, Any] | None:
    """The loss over the iterations, a line per arm; None where no arm has any."""
    known = {name: (kind, trials.loss) for name, kind, trials in shown if trials.loss is not None}
    if not known:
        return None
    lines = [Line(name, *smooth(loss), kind) for name, (kind, loss) in known.items()]
    top = 1.04 * max(float(line.y.max()) for line in lines)
    width = float(max(len(loss) for _, loss in known.values()))
    label = f"Training loss over the iterations of {listing(list(known))}"
    up = ticks(top, lambda tick: f"{tick:g}")
    figure = curves(lines, width, top, label, height=height, across=ticks(width, lambda n: count(round(n))), up=up)
    return {"figure": figure, "lines": [(name, kind) for name, (kind, _) in known.items()]}


def still_falling(loss: np.ndarray) -> float | None:
    """By what share the loss fell over the last fifth of the iterations, from its mean over the fifth before; None for
    fewer than 10 iterations.

    >>> round(still_falling(np.array([9.0] * 6 + [2.0] * 2 + [1.0] * 2)), 2)
    0.5
    """
    fifth = len(loss) // 5
    if fifth < 2:
        return None
    before, last = float(loss[-2 * fifth : -fifth].mean()), float(loss[-fifth:].mean())
    return 1 - last / before if before > 0 else None


def smooth(loss: np.ndarray, points: int = POINTS) -> tuple[np.ndarray, np.ndarray]:
    """At most `points` means of neighbouring iterations: the last iteration of each, and the mean.

    >>> [part.tolist() for part in smooth(np.array([4.0, 2.0, 1.0, 1.0]), points=2)]
    [[2.0, 4.0], [3.0, 1.0]]
    """
    parts = np.array_split(loss, min(points, len(loss)))
    return np.cumsum([len(part) for part in parts]).astype(float), np.array([part.mean() for part in parts])
