"""Ids, numbers, yes and no, and names as JSON, XML and text files write them: 3, 3.0 and "3" are the same id."""

from __future__ import annotations

import math
import re
from typing import Any

_WHOLE = re.compile(r"[+-]?\d{1,40}(\.0*)?")
LONGEST = 200  # characters of an id or a class name


def id_of(value: Any) -> str | None:
    """An id as text: 3, 3.0, "3" and " 3.0" are "3"; None where there is none (missing, nan, a list).

    >>> [id_of(value) for value in (3, 3.0, " 3", "007", "a b ", None, True, [1])]
    ['3', '3', '3', '007', 'a b', None, None, None]
    """
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int):
        return str(value) if abs(value) < 10**LONGEST else None
    if isinstance(value, float):
        if not math.isfinite(value):
            return None
        return str(int(value)) if value.is_integer() else repr(value)
    if not isinstance(value, str):
        return None
    text = value.strip()[:LONGEST]
    if _WHOLE.fullmatch(text):
        text = text.partition(".")[0].removeprefix("+")
    return text or None


def number(value: Any) -> float:
    """A number, also as text. Errors: ValueError for anything else, also for True and None.

    >>> number("1.5"), number(2)
    (1.5, 2.0)
    """
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise ValueError("not a number")
    try:
        return float(value)
    except OverflowError:
        raise ValueError("not a number") from None


def truth(value: Any) -> bool:
    """Whether a value says yes: True, 1, "1", "true", "yes"; "0", "Unspecified", nan and all else say no."""
    if isinstance(value, str):
        return value.strip().lower() in ("1", "1.0", "true", "yes")
    return isinstance(value, (bool, int, float)) and value == value and value != 0


def size_of(value: Any) -> int | None:
    """A declared width or height in whole pixels, None where it makes no sense."""
    try:
        found = number(value)
    except ValueError:
        return None
    return int(found) if 0 < found < 1e6 else None


def name_of(value: Any) -> str:
    """The name of a class without blanks around it; "" where there is none."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return id_of(value) or ""
    return value.strip()[:LONGEST] if isinstance(value, str) else ""
