"""Plain models of ours, trained on an assignment's data with scikit-learn: the score that is shown beside the model's.

They run outside the sandbox, on the data of the assignment alone. scikit-learn is imported where it is used.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from metricloop.takehome.assignment import TRUTH, UNSEEN, Assignment

QUANTILES = (0.01, 0.1, 0.5, 0.9, 0.99)
SCALES = (1, 3, 7, 13)  # sides of the squares, in pixels, over which a picture is averaged
SIDE = 64  # pixels to which a picture is made smaller
HELD_OUT_PICTURES = "held_out"  # a folder in truth/


def reference_labels(assignment: Assignment) -> tuple[list[str], list[str]]:
    """True labels, and those of the plain model, for the held-out items and then the unseen ones whose text is known.

    Text: TF-IDF of words and logistic regression. Images: quantiles of brightness at four scales, and logistic
    regression. Both are empty when no labels are known.
    """
    texts = assignment.front.kind == "text"
    truth = [*assignment.held_out, *(_unseen_texts(assignment) if texts else assignment.unseen)]
    if not truth:
        return [], []
    model = text_model() if texts else picture_model()
    items, labels = zip(*assignment.train, strict=True)
    wanted = [item for item, _ in truth]
    if texts:
        model.fit(items, labels)
        found = model.predict(wanted)
    else:
        model.fit(_pictures([train_folder(assignment) / file for file in items]), labels)
        folders = [*([assignment.folder / TRUTH / HELD_OUT_PICTURES] * len(assignment.held_out))]
        folders += [assignment.data / assignment.front.unseen] * len(assignment.unseen)
        found = model.predict(_pictures([folder / file for folder, file in zip(folders, wanted, strict=True)]))
    return [label for _, label in truth], [str(label) for label in found]


def train_folder(assignment: Assignment) -> Path:
    """The folder of the training pictures: named as their table, without its ending."""
    return assignment.data / Path(assignment.front.train).stem


def text_model() -> Any:
    """TF-IDF of words and logistic regression, both with scikit-learn's defaults."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    return make_pipeline(TfidfVectorizer(), LogisticRegression(max_iter=1000))


def picture_model() -> Any:
    """Features of `features`, standardised, and logistic regression."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000, C=0.1))


def features(picture: np.ndarray) -> np.ndarray:
    """Quantiles of a grey picture and of its steps, without the means of its rows and columns, at four scales."""
    from scipy.ndimage import uniform_filter

    plain = picture - picture.mean(0) - picture.mean(1, keepdims=True) + picture.mean()
    found = [np.array([picture.std()])]
    for scale in SCALES:
        blurred = uniform_filter(plain, scale, mode="nearest")
        found += [
            np.quantile(part, QUANTILES) for part in (blurred, np.diff(blurred, axis=0), np.diff(blurred, axis=1))
        ]
    return np.concatenate(found)


def _pictures(paths: Sequence[Path]) -> np.ndarray:
    from PIL import Image

    rows = []
    for path in paths:
        with Image.open(path) as picture:
            grey = picture.convert("L")
            grey = grey if grey.size == (SIDE, SIDE) else grey.resize((SIDE, SIDE))
            rows.append(features(np.asarray(grey, np.float64)))
    return np.stack(rows)


def _unseen_texts(assignment: Assignment) -> list[tuple[str, str]]:
    """Text and label of the unseen items; [] when truth/unseen.csv has no column `text`."""
    path = assignment.folder / TRUTH / UNSEEN
    if not path.is_file():
        return []
    rows = csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig")))
    return [(row["text"], row["label"]) for row in rows] if "text" in (rows.fieldnames or ()) else []
