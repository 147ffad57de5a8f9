"""What a workspace says beyond its comparison, as far as advice on the next step needs it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from metricloop.comparison.statistics import Outcome


@dataclass(frozen=True)
class Background:
    """The state of a workspace.

    folder: for the commands. trial_seconds: of one trial with its evaluation, as measured in this study; None where
    nothing was measured. side_by_side: how many trials run at the same time. iterations: of a trial.
    old_labels: arms whose trials had other labels than their subset has now. scored: arm -> how many images of the pool
    its metric scores, and how many the pool has. search_share: of the source's images, as asked for; drawn_split:
    whether the search split was drawn so. audited, promoted: whether that was done. full_planned: whether the whole
    pool is an arm already, run or not. folds: out-of-fold models that an audit would train first. confirms: trials of a
    confirmation; None where confirm.when is never. tested: the verdict on the winner on the test split; None where that
    is closed.
    """

    folder: Path
    trial_seconds: float | None = None
    side_by_side: int = 1
    iterations: int = 250
    old_labels: tuple[str, ...] = ()
    scored: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    drawn_split: bool = True
    search_share: float = 0.15
    audited: bool = False
    promoted: bool = False
    confirms: int | None = 24
    tested: Outcome | None = None
    full_planned: bool = False
    folds: int = 2

    def minutes(self, trials: float) -> float | None:
        """About how many minutes so many trials take; None where no trial was timed."""
        return None if self.trial_seconds is None else trials * self.trial_seconds / self.side_by_side / 60


def minutes_text(minutes: float) -> str:
    """About how long, in words.

    >>> minutes_text(0.4), minutes_text(12.6), minutes_text(200.0)
    ('under a minute', 'about 13 min', 'about 3 h 20 min')
    """
    if minutes < 0.75:
        return "under a minute"
    hours, rest = divmod(round(minutes), 60)
    return f"about {hours} h {rest} min" if hours else f"about {rest} min"
