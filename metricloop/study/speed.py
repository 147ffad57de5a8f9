"""How long an iteration takes now, measured by the lines with which trials tell their progress."""

from __future__ import annotations

from statistics import median

LAST = 4  # trials, the latest to begin, whose speed counts
FEWEST = 5  # iterations between two lines, below which a speed is an accident


class Speed:
    """The progress of trials. A trial begins slowly: it loads libraries and reads pictures for the first time, so only
    the later half of what it has done counts.
    """

    def __init__(self) -> None:
        self._told: dict[str, list[tuple[int, float]]] = {}

    def saw(self, label: str, done: int, now: float) -> None:
        """Note how many iterations a trial has done. now: the time of a clock, in seconds."""
        own = self._told.setdefault(label, [])
        if own and done < own[-1][0]:  # another trial of the same name
            own.clear()
        own.append((done, now))

    def iteration(self) -> float | None:
        """Seconds that one iteration of a trial takes, as trials run now; None while too little was seen.

        >>> speed = Speed()
        >>> for done, now in ((4, 60.0), (20, 70.0), (40, 75.0)):
        ...     speed.saw("a", done, now)
        >>> speed.iteration()
        0.25
        """
        found = []
        for own in self._told.values():
            last, end = own[-1]
            earlier = [(done, at) for done, at in own[:-1] if done >= last / 2] or own[-2:-1]
            if earlier and last - earlier[0][0] >= FEWEST:
                found.append((end - earlier[0][1]) / (last - earlier[0][0]))
        return median(found[-LAST:]) if found else None
