"""The JSON value in a language model's answer, whatever stands around it."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import Any, NoReturn

LONGEST = 1_000_000  # characters of an answer
DEEPEST = 50  # values within values


class UnfitJSONError(ValueError):
    """JSON that is found and not taken."""


def json_in(text: str) -> Any:
    """The JSON value that an answer consists of; else the last fenced block that is one; else the first object in it.

    Takes time in proportion to the text, and lets no RecursionError out. An object that is cut off counts as none,
    and so do its parts.
    Errors: ValueError, saying why nothing can be taken.

    >>> json_in('Here it is: {"name": "crowding"}. Good luck!')
    {'name': 'crowding'}
    """
    if len(text) > LONGEST:
        raise ValueError(f"the answer is longer than {LONGEST:,} characters")
    text = _spoken(text).strip()
    for candidate in (text, *reversed(list(_fenced(text)))):
        try:
            return _fit(_DECODER.decode(candidate))
        except json.JSONDecodeError:
            continue
        except RecursionError:
            raise UnfitJSONError(_TOO_DEEP) from None
    return _first_object(text)


def _spoken(text: str) -> str:
    """An answer without the thoughts that some models say aloud before it."""
    return text.partition("</think>")[2] if text.lstrip().startswith("<think>") else text


def _fenced(text: str) -> Iterator[str]:
    """What stands between lines that begin with three backticks, line by line, as a pattern could be led to crawl."""
    block: list[str] | None = None
    for line in text.split("\n"):
        if line.lstrip().startswith("```") and (block is None or line.strip() == "```"):
            if block is not None:
                yield "\n".join(block)
            block = [] if block is None else None
        elif block is not None:
            block.append(line)


def _first_object(text: str) -> Any:
    start = text.find("{")
    while start >= 0:
        try:
            value, end = _DECODER.raw_decode(text, start)
        except json.JSONDecodeError as error:
            end = max(start + 1, error.pos)  # what lies before is part of something broken
        except RecursionError:
            raise UnfitJSONError(_TOO_DEEP) from None
        else:
            if value:  # {} in prose is a way of speaking
                return _fit(value)
        start = text.find("{", end)
    raise ValueError("no whole JSON object in the answer" if text else "the answer is empty")


def _fit(value: Any) -> Any:
    """The value, if it is not too deep to be written again, and its text fits a file."""
    level = [value]
    for _ in range(DEEPEST):
        parts: list[Any] = []
        for item in level:
            if isinstance(item, str) and not item.isascii() and _HALF.search(item):
                raise UnfitJSONError("the answer holds half of a surrogate pair, which is no character")
            parts += [*item, *item.values()] if isinstance(item, dict) else item if isinstance(item, list) else ()
        if not parts:
            return value
        level = parts
    raise UnfitJSONError(_TOO_DEEP)


def _refuse(constant: str) -> NoReturn:
    raise UnfitJSONError(f"{constant} is no JSON number")


def _finite(digits: str) -> float:
    number = float(digits)
    return number if math.isfinite(number) else _refuse(digits[:40])


_TOO_DEEP = f"the answer's JSON is nested deeper than {DEEPEST} levels"
_HALF = re.compile("[\ud800-\udfff]")
_DECODER = json.JSONDecoder(parse_constant=_refuse, parse_float=_finite)
