"""What a workspace says beyond its comparison, as far as advice on the next step needs it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from metricloop.comparison.pace import Pace
from metricloop.comparison.statistics import Outcome


@dataclass(frozen=True)
class Background:
    """The state of a workspace.

    folder: for the commands. pace: how long things take in this study; None where nothing was measured. iterations: of
    a trial. old_labels: arms whose trials had other labels than their subset has now. scored: arm -> how many images of
    the pool its metric scores, and how many the pool has. search_share: of the source's images, as asked for;
    drawn_split: whether the search split was drawn so. val_place: where the data set's format has the pictures of the
    split val, "" where that is not known. audited, promoted: whether that was done. audit_old: whether the labels
    changed after the audit. audit_listed: whether it says that anything is probably wrong. promoted_before: how the
    promoted detector differs from one promoted now, such as "30 iterations (now 120)"; "" where it does not.
    full_planned: whether the whole pool is an arm already, run or not. planned: arms with trials in the plan, short
    ones too. folds: out-of-fold models that an audit would train first. confirms: trials of a confirmation; None where
    confirm.when is never. tested: the verdict on the winner on the test split; None where that is closed.
    """

    folder: Path
    pace: Pace | None = None
    iterations: int = 250
    old_labels: tuple[str, ...] = ()
    scored: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    drawn_split: bool = True
    search_share: float = 0.15
    val_place: str = ""
    audited: bool = False
    promoted: bool = False
    audit_old: bool = False
    audit_listed: bool = True
    promoted_before: str = ""
    confirms: int | None = 24
    tested: Outcome | None = None
    full_planned: bool = False
    planned: tuple[str, ...] = ()
    folds: int = 2
