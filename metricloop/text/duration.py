"""Spans of time as text."""

from __future__ import annotations


def duration(seconds: float) -> str:
    """Seconds in the units that matter.

    >>> duration(41), duration(754), duration(7500)
    ('41 s', '13 min', '2 h 5 min')
    """
    if seconds < 90:
        return f"{max(round(seconds), 1)} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def duration_range(low: float, high: float) -> str:
    """A range in one unit where that is possible.

    >>> duration_range(300, 540), duration_range(50, 70), duration_range(3000, 5400)
    ('5 to 9 min', '50 to 70 s', '50 min to 1 h 30 min')
    """
    first, last = duration(low), duration(high)
    if first == last:
        return first
    if first.count(" ") == last.count(" ") == 1 and first.partition(" ")[2] == last.partition(" ")[2]:
        first = first.partition(" ")[0]
    return f"{first} to {last}"
