"""The kinds of label error: one table of what each means, how it is planted, what the audit and the model call it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class LabelError:
    """One kind of label error.

    name: of its rows in an audit. planted_by: the kinds of data.corrupt that plant it. mistakes: what the truth calls
    the labels, or the objects, that are wrong in this way. target: the word by which a suggestion of the language model
    names it.
    """

    name: str
    meaning: str
    planted_by: tuple[str, ...]
    mistakes: tuple[str, ...]
    target: str


LABEL_ERRORS = {
    error.name: error
    for error in (
        LabelError("missing", "an object has no label", ("missing", "replaced"), ("missing",), "missing"),
        LabelError("spurious", "a label has no object", ("spurious", "replaced"), ("spurious",), "spurious"),
        LabelError("placed", "a box does not fit its object", ("moved", "scaled"), ("moved", "scaled"), "badly_placed"),
        LabelError("class", "a label names another class", ("class",), ("class",), "wrong_class"),
        LabelError("doubled", "an object is labelled twice", ("doubled",), ("doubled",), "doubled"),
    )
}
PLANTED = tuple(dict.fromkeys(kind for error in LABEL_ERRORS.values() for kind in error.planted_by))
PRESETS = ("article", "sloppy", "custom")  # lists of damage, under data.corrupt
UNJUDGED = "unjudged"  # the mistake of a label of which a second labelling says nothing
TARGETS = (*(error.target for error in LABEL_ERRORS.values()), "mixed", "none")  # several kinds of error; no error


def label_errors_table() -> str:
    """The kinds as a Markdown table, for the docs."""
    lines = ["| label error | in the audit | planted by `data.corrupt` | `targets` |", "|---|---|---|---|"]
    for error in LABEL_ERRORS.values():
        planted = ", ".join(f"`{kind}`" for kind in error.planted_by)
        lines.append(f"| {error.meaning} | `{error.name}` | {planted} | `{error.target}` |")
    return "\n".join(lines)
