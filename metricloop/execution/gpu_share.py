"""Which share of a GPU a trial takes, from the memory that the first trial used."""

from __future__ import annotations

import math

MARGIN = 1.25  # the allocator keeps more than it uses
CONTEXT = 0.6  # GiB that CUDA itself takes in every process
STEP = 0.05  # shares are rounded up to this
LEAST = 0.1  # ten trials on a card: more of them wait for the cores that feed it


def share_of(used: float, memory: float) -> float:
    """The share of a GPU, 0.1 to 1, for a trial.

    used: GiB that the first trial had allocated at most. memory: GiB of the card.

    >>> share_of(4.0, 80.0), share_of(0.5, 16.0), share_of(14.0, 16.0)
    (0.1, 0.1, 1.0)
    >>> share_of(4.0, 24.0)
    0.25
    """
    steps = math.ceil(round((used * MARGIN + CONTEXT) / memory / STEP, 6))
    return min(1.0, max(LEAST, round(steps * STEP, 2)))
