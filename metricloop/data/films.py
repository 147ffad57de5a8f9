"""Find pictures that are frames of a film, and a pattern for data.group that keeps neighbouring frames in one split."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np

from metricloop.data.grouping import recordings

FRAMES = 20  # so many pictures, at least, whose names differ in their last number only, make a series
FILM = 0.5  # neighbours in a film differ by less than this share of what pictures half a film apart differ
RUNS = (12, 6)  # so many groups, at least, are made of films, so that each split can have some; better the former
IN_A_RUN = 4  # so many pictures, at least, has a run on average
NUMBER = re.compile(r"\d+$")


@dataclass(frozen=True)
class Film:
    """Frames of films in several splits. frames: how many pictures; name: of a file, its number as NNNN; near, far:
    the median difference of neighbours, and of pictures half a film apart, in grey levels; beside: held-out pictures
    whose frame before or after is in the pool, of `held` ones; pattern: for data.group, None where none would do.
    """

    frames: int
    name: str
    near: float
    far: float
    beside: int
    held: int
    pattern: str | None


def film_in_two_splits(files: Sequence[str], thumbnails: np.ndarray, split: np.ndarray) -> Film | None:
    """The films that have neighbouring frames in the pool and in a held-out split; None if there are none.

    files: paths with slashes; thumbnails: (n, 256) uint8; split: (n,) str. Numbers alone make no film: independent
    photos may be numbered, so neighbours must look much more alike than pictures far apart.
    """
    films = [(rows, near, far) for rows in _series(files) if (near := _gap(thumbnails, rows, 1)) < FILM * (
        far := _gap(thumbnails, rows, len(rows) // 2))]  # fmt: skip
    beside = held = 0
    for rows, _, _ in films:
        in_pool = np.pad(split[rows] == "pool", 1)
        out = split[rows] != "pool"
        beside, held = beside + int((out & (in_pool[:-2] | in_pool[2:])).sum()), held + int(out.sum())
    if not beside:
        return None
    rows, near, far = max(films, key=lambda one: len(one[0]))
    path = PurePosixPath(files[rows[0]])
    name = NUMBER.sub(lambda number: "N" * len(number[0]), path.stem) + path.suffix
    every = [rows for rows, _, _ in films]
    return Film(sum(map(len, every)), name, near, far, beside, held, pattern_of_runs(files, every))


def told(film: Film) -> str:
    """A sentence that tells a person of the film; it does not say what to do."""
    return (
        f"{film.frames:,} files such as {film.name} look like frames of a film (neighbours differ by {film.near:.0f} "
        f"grey levels, pictures far apart by {film.far:.0f}), and neighbouring frames are on both sides: {film.beside} "
        f"of {film.held} search and test pictures have the frame before or after them in the pool, so what is measured "
        "on them is too good"
    )


def _series(files: Sequence[str]) -> list[np.ndarray]:
    """Groups of pictures whose names differ only in their last number: the rows of each, in that number's order."""
    series: dict[str, list[tuple[int, int]]] = {}
    for row, frame in enumerate(recordings(files)):
        if frame:
            series.setdefault(frame[0], []).append((frame[1], row))
    return [np.array([row for _, row in sorted(own)]) for own in series.values() if len(own) >= FRAMES]


def _gap(thumbnails: np.ndarray, rows: np.ndarray, apart: int) -> float:
    """The median difference of pictures so many places apart, in grey levels."""
    one, other = thumbnails[rows[:-apart]].astype(np.int16), thumbnails[rows[apart:]]
    return float(np.median(np.abs(one - other).mean(axis=1)))


def pattern_of_runs(files: Sequence[str], series: Sequence[np.ndarray]) -> str | None:
    """A regular expression for data.group that keeps runs of 10, 100, ... neighbouring frames together.

    Its first group is the same within a run and differs between runs. The longest runs are taken of which there are
    enough (RUNS). None if no simple expression does this.
    """
    found = (_pattern(files, series, least) for least in RUNS)
    return next((pattern for pattern in found if pattern), None)


def _pattern(files: Sequence[str], series: Sequence[np.ndarray], least: int) -> str | None:
    rows = np.concatenate(series)
    which = np.repeat(np.arange(len(series)), [len(own) for own in series]).tolist()
    found = [NUMBER.search(PurePosixPath(files[row]).stem) for row in rows]
    numbers = [one[0] for one in found if one]
    before = {PurePosixPath(files[row]).stem[: -len(number)] for row, number in zip(rows, numbers, strict=True)}
    widths = {len(number) for number in numbers}
    for cut in range(max(widths) - 1, 0, -1):
        runs = [(own, int(number[:-cut] or 0)) for own, number in zip(which, numbers, strict=True)]
        if not least <= len(set(runs)) <= len(runs) / IN_A_RUN:
            continue
        last = "[0-9]?" * (cut - 1) + "[0-9][.]"
        patterns = [f"([^/]*?){last}", f"(.*?){last}"]
        if len(before) == len(widths) == 1:
            patterns.insert(0, f"{re.escape(min(before))}({'[0-9]' * (min(widths) - cut)})")
        return next((one for one in patterns if _makes(one, [files[row] for row in rows], runs)), None)
    return None


def _makes(pattern: str, files: Sequence[str], runs: Sequence[tuple[int, int]]) -> bool:
    """Whether a pattern puts two files into one group exactly if they are in one run. runs: the run of each file."""
    groups = [match[1] if (match := re.search(pattern, file)) else None for file in files]
    pairs = set(zip(groups, runs, strict=True))
    return None not in groups and len(pairs) == len(set(groups)) == len(set(runs))
