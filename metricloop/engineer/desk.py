"""The data of a study that answers to the model's questions are made from.

The test split is not in a StudyView, so nothing here can show it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from metricloop import layout
from metricloop.data.dataset import Dataset
from metricloop.data.frame import Detections
from metricloop.data.manifest import read_first
from metricloop.engineer.code_gate import CodeGate, open_gate
from metricloop.engineer.study_view import StudyView, baseline_errors, known_ideas, known_metrics, truth_arms
from metricloop.evaluation.error_types import Errors, find_errors
from metricloop.figures.subset_changes import FirstDraw, first_draw
from metricloop.llm.message import Picture
from metricloop.scoring.metric_inputs import read_predictions
from metricloop.scoring.scores import Scores, read_scores


class QuestionError(ValueError):
    """A question cannot be answered; the message says why, for the model."""


@dataclass(frozen=True)
class Answer:
    """The answer to one question: text, and pictures if there are any."""

    said: str
    pictures: tuple[Picture, ...] = ()


@dataclass
class Desk:
    """The data of one round of a study: pool, predictions, scores, subsets, errors and gate.

    Each is read when it is first needed, and then kept. number: of the round. sheets: the number of contact sheets that
    were made for answers so far.
    """

    study: StudyView
    number: int = 1
    sheets: int = 0
    _scores: dict[str, Scores] = field(default_factory=dict)

    @property
    def pool(self) -> Dataset:
        return self.study.pool

    @cached_property
    def predictions(self) -> dict[int, Detections] | None:
        """Out-of-fold predictions by image id; None when the study has none."""
        file = self.study.folder / layout.PREDICTIONS
        return read_predictions(file) if file.is_file() else None

    @cached_property
    def disagreement(self) -> Errors | None:
        """Errors of the predictions, with the labels as the truth, at the score threshold with the best F1."""
        if self.predictions is None:
            return None
        nothing = Detections.empty()
        return find_errors(self.pool, [self.predictions.get(int(i), nothing) for i in self.pool.image_id])

    @property
    def predicted(self) -> tuple[dict[int, Detections], float] | None:
        """Out-of-fold predictions, and the score from which they are drawn; None when the study has none."""
        return (self.predictions, self.disagreement.threshold) if self.predictions and self.disagreement else None

    @cached_property
    def gate(self) -> CodeGate:
        """The gate of the round, which knows the ideas of earlier rounds."""
        return open_gate(self.number, self.study, known_ideas(self.study, self.number))

    @cached_property
    def errors(self) -> list[Errors]:
        return baseline_errors(self.study)

    @cached_property
    def metrics(self) -> dict[str, str]:
        """The known metrics and their files of scores; none is made from the truth."""
        return {name: known.scores for name, known in known_metrics(self.study.folder, self.study.plan).items()}

    def scores(self, metric: str) -> Scores:
        """The scores of a known metric. Errors: QuestionError for an unknown one."""
        if metric not in self.metrics:
            known = ", ".join(sorted(self.metrics)) or "none"
            raise QuestionError(f"no metric {metric} has scores; known: {known}")
        if metric not in self._scores:
            self._scores[metric] = read_scores(self.study.folder / self.metrics[metric], self.pool)
        return self._scores[metric]

    @cached_property
    def draws(self) -> dict[str, FirstDraw]:
        """What the first draw of each arm keeps, by arm. Arms that are made from the truth are left out."""
        hidden, found = truth_arms(self.study.plan), {}
        for arm in self.study.plan["arms"]:
            file = self.study.folder / layout.subset_file(arm)
            if arm not in hidden and file.is_file():
                found[arm] = first_draw(read_first(file), self.pool)
        return found

    @cached_property
    def subsets(self) -> dict[str, np.ndarray]:
        """Which images each of `draws` keeps, (n,) bool by arm."""
        return {arm: draw.images for arm, draw in self.draws.items()}

    def image_values(self, metric: str) -> np.ndarray:
        """Scores of a known metric per image, as `image_means` gives them. Errors: QuestionError."""
        return image_means(self.scores(metric), len(self.pool))

    def images(self, ids: Iterable[int]) -> np.ndarray:
        """Which images have these ids, (n,) bool. Errors: QuestionError for an id that is not in the pool."""
        wanted = set(ids)
        if strange := sorted(wanted - set(self.pool.image_id.tolist())):
            raise QuestionError(f"the pool has no image {', '.join(map(str, strange[:6]))}")
        return np.isin(self.pool.image_id, list(wanted))


def image_means(scores: Scores, n: int) -> np.ndarray:
    """Scores per image, (n,): the mean over its objects for a metric of objects; nan for unknown."""
    known = np.isfinite(scores.value)
    number = np.bincount(scores.row[known], minlength=n)
    total = np.bincount(scores.row[known], scores.value[known], n)
    return np.divide(total, number, out=np.full(n, np.nan), where=number > 0)
