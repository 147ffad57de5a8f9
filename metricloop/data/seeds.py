"""Seeds: how they are written, and those of the draws in a manifest, of the study and of the confirmation.

A manifest holds a draw for each of them, whatever params.yaml asks for. So a higher seeds.max or confirm.seeds changes
no manifest, and no trial has to run again.
"""

from __future__ import annotations

STUDY_SEEDS = range(20)
CONFIRM_SEEDS = range(1000, 1005)  # far from the study's, so that no trial of the study has used one


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
