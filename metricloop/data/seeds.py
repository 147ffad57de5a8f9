"""Seeds: how they are written, and those of the draws in a manifest, of the study, the confirmation and promotion.

A manifest holds a draw for each of them, whatever params.yaml asks for. So more looks or seeds in params.yaml change no
manifest, and no trial has to run again.
"""

from __future__ import annotations

from collections.abc import Iterable

STUDY_SEEDS = range(40)
CONFIRM_SEEDS = range(1000, 1020)  # far from the study's, so that no trial of the study has used one
PROMOTE_SEEDS = range(2000, 2010)  # of detectors for use; no trial whose numbers are reported has used one
BLOCK = 6  # most seeds of a block that metricloop writes: a block is one process, and blocks run side by side


def parse_seeds(text: str) -> tuple[int, ...]:
    """`0-2` or `4` as a tuple of seeds. Errors: ValueError naming the text."""
    first, _, last = str(text).partition("-")
    try:
        seeds = tuple(range(int(first), int(last or first) + 1))
    except ValueError:
        seeds = ()
    if not seeds:
        raise ValueError(f"seeds must look like 0-2 or 4, found {text!r}")
    return seeds


def blocks_of(first: int, end: int) -> list[str]:
    """The seeds from `first` to before `end` as blocks of at most BLOCK: 0, 12 -> ["0-5", "6-11"]."""
    return blocks_from(range(first, end))


def blocks_from(seeds: Iterable[int]) -> list[str]:
    """Ascending seeds as blocks of at most BLOCK, each without a gap: 1, 2, 5 -> ["1-2", "5-5"]."""
    blocks: list[list[int]] = []
    for seed in seeds:
        if not blocks or seed != blocks[-1][-1] + 1 or len(blocks[-1]) == BLOCK:
            blocks.append([])
        blocks[-1].append(seed)
    return [f"{block[0]}-{block[-1]}" for block in blocks]
