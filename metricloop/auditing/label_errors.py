"""The kinds of label error that an audit looks for, and the metrics that point to each."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from metricloop.data.dataset import Dataset
from metricloop.data.label_errors import LABEL_ERRORS

Weights = tuple[tuple[str, float], ...]  # metric and weight


@dataclass(frozen=True)
class Kind:
    """A kind of label error in an audit: its texts, and the metrics that judge it.

    name: a row of LABEL_ERRORS, or any. unit: what can be wrong, a labelled "box", an "image" in which a label lacks,
    or a "picture" beside others. judges: the suspicion is the weighted mean of these metrics' percentiles; none for
    pictures. in_class: percentiles are taken within the box's class.
    otherwise: the judges used without predictions, when the first of `judges` has no scores; `about_otherwise` then
    replaces `about` on the page. also: further metrics that the probability is estimated from.
    """

    name: str
    title: str
    about: str
    unit: str
    judges: Weights
    in_class: bool = False
    otherwise: Weights = ()
    about_otherwise: str = ""
    also: tuple[str, ...] = ()

    @property
    def perhaps(self) -> str:
        """The title of a finding that is suspicious, and not shown to be wrong."""
        return self.title.replace("Probably", "Perhaps", 1)

    @property
    def error(self) -> str:
        """The error itself, without a claim that there is one."""
        words = self.title.removeprefix("Probably ")
        return words[0].upper() + words[1:]

    @property
    def mistakes(self) -> tuple[str, ...]:
        """What the truth calls labels that are wrong in this way; empty for ANY."""
        return LABEL_ERRORS[self.name].mistakes if self.name in LABEL_ERRORS else ()

    def judges_with_scores(self, scored: Collection[str]) -> Weights:
        """The judges that are among the metrics `scored`, with their weights."""
        judges = self.judges if self.judges and self.judges[0][0] in scored else self.otherwise
        return tuple((name, weight) for name, weight in judges if name in scored)

    def witnesses(self, scored: Collection[str]) -> list[str]:
        """The metrics among `scored` that the probability is estimated from."""
        judges = [name for name, _ in self.judges_with_scores(scored)]
        return [*judges, *(name for name in self.also if name in scored)]


KINDS = (
    Kind(
        "spurious",
        "Probably no object here",
        "the model sees nothing where the label is",
        "box",
        (("possible_spurious", 1.0), ("edge_support", 0.3), ("box_fit", 0.2)),
        in_class=True,
        also=("object_confidence",),
    ),
    Kind(
        "class",
        "Probably the wrong class",
        "the model sees an object of another class here",
        "box",
        (("class_margin", 1.0),),
        otherwise=(("size_outlier", 1.0),),
        about_otherwise="its size is unusual for its class",
        also=("class_doubt",),
    ),
    Kind(
        "placed",
        "Probably badly placed",
        "the model sees the object here, but with another box",
        "box",
        (("location_doubt", 1.0), ("badly_located", 0.5), ("edge_support", 0.4), ("box_fit", 0.7)),
        in_class=True,
        otherwise=(("box_fit", 1.0), ("edge_support", 0.6)),
        about_otherwise="the picture shows no edge and no change of colour at the sides of the box",
    ),
    Kind(
        "doubled",
        "Probably labelled twice",
        "another label of the same class covers the same place",
        "box",
        (("doubled", 0.85), ("exclusive_agreement", 0.15)),
    ),
    Kind(
        "missing",
        "Probably an object without a label",
        "the model sees an object that no label covers",
        "image",
        (("uncovered_prediction", 1.0), ("possible_missing", 1.0)),
    ),
)
PICTURE_KINDS = (
    Kind(
        "conflict",
        "Same picture, different labels",
        "copies of one picture, the same where their labels differ: probably one of them is wrong",
        "picture",
        (),
    ),
    Kind(
        "leak",
        "Same picture in two splits",
        "a held-out picture that repeats one that is trained on; the study leaves it out",
        "picture",
        (),
    ),
    Kind(
        "repeated",
        "Same picture twice",
        "a copy, or nearly one, of another picture of the same split: it teaches nothing new",
        "picture",
        (),
    ),
)
ANY = Kind(
    "any",
    "Any wrong box",
    "a box with any of these errors",
    "box",
    (("exclusive_agreement", 1.0), ("possible_spurious", 0.5), ("edge_support", 0.4), ("box_fit", 0.7)),
    in_class=True,
)


def judged_kinds(pool: Dataset, scored: Collection[str]) -> tuple[list[Kind], list[str]]:
    """The kinds of label error that the metrics `scored` can find here, and a line on why for each other kind."""
    kinds, notes = [], []
    for kind in KINDS:
        if kind.name == "class" and len(pool.class_names) < 2:
            notes.append(f'"{kind.title}" is not judged: the pool has only one class.')
        elif not kind.judges_with_scores(scored):
            reason = "its metrics gave no scores" if kind.name == "doubled" else "it needs predictions"
            notes.append(f'"{kind.title}" is not judged: {reason}.')
        else:
            kinds.append(kind)
    return kinds, notes
