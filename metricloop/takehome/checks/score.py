"""Score: labels that the application never saw, counted by us, against always naming the most frequent label."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Sequence
from typing import Any

from metricloop.takehome.bench import Bench
from metricloop.takehome.checks.predictions import unseen_labels
from metricloop.takehome.contract import PREDICT
from metricloop.takehome.predicting import predict_pictures, predict_texts
from metricloop.takehome.result import Result, failed, passed
from metricloop.takehome.truth import held_out_pictures

Z95 = 1.959964  # of a 95 % interval


def check(bench: Bench) -> Result:
    """Passed when the lower end of the 95 % interval of the accuracy is above the share of the most frequent label.

    The model is told no number, because these labels are not for it.
    """
    if bench.model is None or PREDICT not in bench.files:
        return failed("there are no predictions to score")
    truth, labels = [], []
    for true, predicted in (held_out_pairs(bench), unseen_pairs(bench)):
        truth += true
        labels += predicted
    if not any(labels):
        return failed("there are no predictions to score")
    facts = numbers(truth, labels, bench.assignment.front.labels)
    facts["majority"] = majority(bench, truth)
    low, _ = wilson(round(facts["accuracy"] * len(truth)), len(truth))
    facts |= {"items": len(truth), "accuracy_low": low}
    if low > facts["majority"]:
        return passed(**facts)
    return failed("on unseen items it is not better than always naming the most frequent label", **facts)


def held_out_pairs(bench: Bench) -> tuple[list[str], list[str]]:
    """True and predicted labels of the held-out items, in an order and with names that tell nothing of the labels."""
    rows = list(bench.assignment.held_out)
    random.SystemRandom().shuffle(rows)
    if not rows:
        return [], []
    names = [f"item-{number}" for number in range(len(rows))]
    if bench.assignment.front.kind == "text":
        found = predict_texts(bench, {name: text for name, (text, _) in zip(names, rows, strict=True)})
    else:
        names = [f"{name}.png" for name in names]
        pictures = held_out_pictures(bench.assignment, [file for file, _ in rows])
        found = predict_pictures(bench, dict(zip(names, pictures, strict=True)))
    return [label for _, label in rows], [found.labels.get(name, "") for name in names]


def unseen_pairs(bench: Bench) -> tuple[list[str], list[str]]:
    """True and predicted labels of the unseen items whose labels are known; "" where there is no prediction."""
    rows = bench.assignment.unseen
    if not rows:
        return [], []
    found, _ = unseen_labels(bench)
    return [label for _, label in rows], [found.labels.get(item, "") for item, _ in rows]


def numbers(truth: Sequence[str], labels: Sequence[str], known: Sequence[str]) -> dict[str, Any]:
    """Accuracy and macro F1 of labels against the truth.

    >>> numbers(["a", "a", "b"], ["a", "b", "b"], ["a", "b"])
    {'accuracy': 0.6666666666666666, 'macro_f1': 0.6666666666666666}
    """
    pairs = Counter(zip(truth, labels, strict=True))
    each = []
    for label in known:
        both = pairs[label, label]
        either = truth.count(label) + labels.count(label)
        if either:
            each.append(2 * both / either)
    right = sum(count for (true, said), count in pairs.items() if true == said)
    return {"accuracy": right / len(truth), "macro_f1": sum(each) / len(each)}


def majority(bench: Bench, truth: Sequence[str]) -> float:
    """The accuracy of always naming the label that is most frequent in the training data, or in the truth."""
    usual = Counter(label for _, label in bench.assignment.train).most_common(1)[0][0]
    return max(truth.count(usual), *Counter(truth).values()) / len(truth)


def wilson(successes: int, trials: int) -> tuple[float, float]:
    """The 95 % interval of a share, after Wilson (1927).

    >>> [round(end, 3) for end in wilson(8, 10)]
    [0.49, 0.943]
    """
    share, z2 = successes / trials, Z95**2
    middle = share + z2 / (2 * trials)
    reach = Z95 * math.sqrt(share * (1 - share) / trials + z2 / (4 * trials**2))
    return (middle - reach) / (1 + z2 / trials), (middle + reach) / (1 + z2 / trials)
