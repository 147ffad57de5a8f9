"""Read as much as possible of a JSON text that is cut off or damaged."""

from __future__ import annotations

import json
import re
from typing import Any

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]', re.DOTALL)


def salvage(text: str, end: int) -> Any:
    """The whole entries of the top-level lists and objects before `end`, where the text is broken.

    An entry that is cut is left out. None when no whole entry is there.
    """
    stack: list[str] = []
    whole, closers = 0, ""
    for token in _TOKEN.finditer(text, 0, end):
        mark = token[0]
        if mark in "[{":
            stack.append("]" if mark == "[" else "}")
        elif mark in "]}":
            if not stack or stack.pop() != mark:
                break
            if 1 <= len(stack) <= 2:
                whole, closers = token.end(), "".join(reversed(stack))
    try:
        return json.loads(text[:whole] + closers)
    except json.JSONDecodeError:
        return None
