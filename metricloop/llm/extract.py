"""Finds the JSON value in a language model's answer, with any text around it."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import Any, NoReturn

LONGEST = 1_000_000  # characters of an answer
DEEPEST = 50  # values within values


class UnfitJSONError(ValueError):
    """JSON that was found and cannot be accepted."""


def json_in(text: str) -> Any:
    """The whole answer as a JSON value; else its last fenced block that is JSON; else the first JSON object in it.

    Time is proportional to the text's length, and no RecursionError is raised. An object that is cut off, and its
    parts, are ignored.
    Errors: ValueError saying why nothing can be used.

    >>> json_in('Here it is: {"name": "crowding"}. Good luck!')
    {'name': 'crowding'}
    """
    if len(text) > LONGEST:
        raise ValueError(f"the answer is longer than {LONGEST:,} characters")
    text = _without_thoughts(text).strip()
    for candidate in (text, *reversed(list(_fenced(text)))):
        try:
            return _checked(_DECODER.decode(candidate))
        except json.JSONDecodeError:
            continue
        except RecursionError:
            raise UnfitJSONError(_TOO_DEEP) from None
    return _first_object(text)


def _without_thoughts(text: str) -> str:
    """The answer without the reasoning in <think> that some models put before it."""
    return text.partition("</think>")[2] if text.lstrip().startswith("<think>") else text


def _fenced(text: str) -> Iterator[str]:
    """The blocks between lines that begin with three backticks. Line by line, since a regex could take very long."""
    block: list[str] | None = None
    for line in text.split("\n"):
        if line.lstrip().startswith("```") and (block is None or line.strip() == "```"):
            if block is not None:
                yield "\n".join(block)
            block = [] if block is None else None
        elif block is not None:
            block.append(line)


class _Uncounted(str):
    """Text whose lines are not counted for the message of a JSONDecodeError, which would take its whole length."""

    __slots__ = ()

    def count(self, *_: object) -> int:
        return 0

    def rfind(self, *_: object) -> int:
        return -1


def _first_object(text: str) -> Any:
    text = _Uncounted(text)
    start = text.find("{")
    while start >= 0:
        try:
            value, end = _DECODER.raw_decode(text, start)
        except json.JSONDecodeError as error:
            end = max(start + 1, error.pos)  # the text before is part of a broken object
        except RecursionError:
            raise UnfitJSONError(_TOO_DEEP) from None
        else:
            if value:  # {} in prose is not an answer
                return _checked(value)
        start = text.find("{", end)
    raise ValueError("no whole JSON object in the answer" if text else "the answer is empty")


def _checked(value: Any) -> Any:
    """The value. Errors: UnfitJSONError when it is nested too deep or holds text that cannot be written to a file."""
    level = [value]
    for _ in range(DEEPEST):
        parts: list[Any] = []
        for item in level:
            if isinstance(item, str) and not item.isascii() and _HALF.search(item):
                raise UnfitJSONError("the answer holds half of a surrogate pair, which is not a character")
            parts += [*item, *item.values()] if isinstance(item, dict) else item if isinstance(item, list) else ()
        if not parts:
            return value
        level = parts
    raise UnfitJSONError(_TOO_DEEP)


def _refuse(constant: str) -> NoReturn:
    raise UnfitJSONError(f"{constant} is not a JSON number")


def _finite(digits: str) -> float:
    number = float(digits)
    return number if math.isfinite(number) else _refuse(digits[:40])


_TOO_DEEP = f"the answer's JSON is nested deeper than {DEEPEST} levels"
_HALF = re.compile("[\ud800-\udfff]")
_DECODER = json.JSONDecoder(parse_constant=_refuse, parse_float=_finite)
