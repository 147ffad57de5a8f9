"""random and random_by_group: images, or whole groups of images, at random."""

from __future__ import annotations

import numpy as np

from metricloop.selection.options import Drawn
from metricloop.selection.policy import Chosen, Draw, policy


@policy("random", "draw at random", options=Drawn, reads="images", place=90)
def random(draw: Draw) -> Chosen:
    """Images at random: all keep-values are equal, so the tie alone decides."""
    return draw.ranked, None


@policy("random_by_group", "draw whole groups (videos) at random", options=Drawn, reads="images", place=100)
def random_by_group(draw: Draw) -> Chosen:
    """Whole groups at random, one after the other; the budget may end within the last one."""
    _, group = np.unique(draw.data.group, return_inverse=True)
    return np.lexsort((draw.tie, draw.rng.permutation(group.max(initial=0) + 1)[group])), None
