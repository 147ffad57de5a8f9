"""How long to wait before a request is sent again."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from metricloop.llm.message import Message

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0  # seconds between attempts, unless the server names a time


def pause_before(messages: Sequence[Message], retries: int) -> float:
    """Seconds before the next attempt: twice as many each time, varied by the question, so that threads whose calls
    failed together do not retry together; the same in every run."""
    seed = hashlib.sha256(f"{retries} {messages[-1].text if messages else ''}".encode(errors="replace")).digest()
    return min(FIRST_PAUSE * 2.0**retries, LONGEST_PAUSE) * (0.75 + 0.5 * seed[0] / 255)


def asked_wait(headers: Mapping[str, str]) -> float | None:
    """Seconds that a server asks to wait, or None; a date is compared with the server's own clock."""
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            wait = float(headers.get(name, "")) * unit
        except ValueError:
            continue
        if math.isfinite(wait):
            return max(0.0, wait)
    try:
        now = parsedate_to_datetime(headers["date"]) if "date" in headers else datetime.now(UTC)
        return max(0.0, (parsedate_to_datetime(headers["retry-after"]) - now).total_seconds())
    except (KeyError, ValueError, TypeError, OverflowError):
        return None
