"""A finding in a line of words, and what a list of findings claims: the same on the page and in the terminal."""

from __future__ import annotations

from metricloop.auditing.label_errors import KINDS, PICTURE_KINDS
from metricloop.auditing.run import Audit
from metricloop.auditing.suspects import Suspect
from metricloop.data.dataset import Dataset
from metricloop.text.numbers import fixed

TITLES = {kind.name: kind.title for kind in (*KINDS, *PICTURE_KINDS)}
PERHAPS = {kind.name: kind.perhaps for kind in KINDS} | {kind.name: kind.title for kind in PICTURE_KINDS}
PROBABLE = "Listed is what is probably wrong, and it may be right."
DOUBTFUL = (
    "Listed are the most suspicious labels, as asked for. They are not shown to be wrong: each may well be right."
)
BOTH = (
    "Listed is what is probably wrong and then, with a heading that begins with “Perhaps”, what is only suspicious "
    "and not shown to be wrong."
)


def title_of(one: Suspect) -> str:
    """The heading of a finding: "Probably ..." where the evidence says so, else "Perhaps ..."."""
    return (TITLES if one.probable else PERHAPS)[one.kind]


def claim(audit: Audit) -> str:
    """What the list of an audit claims, in a sentence or two."""
    doubtful = len(audit.doubtful)
    return PROBABLE if not doubtful else DOUBTFUL if doubtful == len(audit.fix_first) else BOTH


def in_words(data: Dataset, one: Suspect) -> str:
    """What is suspicious about a label, without the name of its picture."""
    sees = None if one.model is None else f"{data.class_names[one.model[1]]} (its score {fixed(one.model[2], 2)})"
    if one.box < 0:
        return f"no label where the model sees {sees}"
    label = f"labelled {data.class_names[data.labels[one.box]]}"
    if one.kind == "doubled":
        return f"{label} twice in one place"
    if one.kind == "class":
        return f"{label}, the model sees {sees}" if sees else f"{label}, with an unusual size for it"
    if one.kind == "placed":
        return f"{label}, and the model's box differs" if sees else f"{label}, and no edge is at the sides of its box"
    return f"{label}, and the model does not see one there"
