"""The name that was probably meant, as the end of an error message."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def did_you_mean(name: str, known: Iterable[str], otherwise: str, cutoff: float = 0.6) -> str:
    """`did you mean 'x'?` with the nearest known name; `otherwise` where none is near.

    cutoff: the least likeness, 0 to 1, that counts as near.

    >>> did_you_mean("sharpnes", ["contrast", "sharpness"], "there are two")
    "did you mean 'sharpness'?"
    >>> did_you_mean("xyz", ["contrast", "sharpness"], "there are two")
    'there are two'
    """
    near = get_close_matches(name, list(known), 1, cutoff)
    return f"did you mean {near[0]!r}?" if near else otherwise
