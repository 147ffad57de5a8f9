"""What a function gave in another process, or the error that it raised there, sent back so that people can read it."""

from __future__ import annotations

import pickle
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from metricloop.execution.engine import Done, Item
from metricloop.runtime.damaged_files import told

LINES = 12  # of a traceback that are passed on


class ItemError(RuntimeError):
    """A function failed on an item in another process; the message is what a person needs of it."""


@dataclass(frozen=True)
class Answer:
    """result: of the function. error: what it raised instead. share: of a GPU that it needs; None without a GPU."""

    result: Any = None
    error: Exception | None = None
    share: float | None = None


def answer_of(function: Callable[[Item, Any], Any], item: Item, shared: Any) -> Answer:
    """Call a function, in the process that runs the item."""
    try:
        return Answer(function(item, shared))
    except Exception as error:
        return Answer(error=_portable(error))


def opened(place: int, item: Item, answer: Answer) -> Done[Item, Any]:
    """An answer as the engine yields it."""
    return Done(place, item, answer.result, answer.error)


def _portable(error: Exception) -> Exception:
    """The error itself where its class is ours, else one that holds its message, and its traceback if it may be a bug.

    A traceback does not travel, and without it nobody could tell an error with a message for people from a bug.
    """
    if type(error).__module__.startswith("metricloop.") and _survives(error):
        return error
    if said := told(error):
        return ItemError(said)
    lines = "".join(traceback.format_exception(error)).rstrip().splitlines()
    return ItemError("\n".join([f"{type(error).__name__}: {error}", *(f"  {line}" for line in lines[-LINES:])]))


def _survives(error: Exception) -> bool:
    """Whether an error is the same after a journey between processes; some cannot be made from their message."""
    try:
        return str(pickle.loads(pickle.dumps(error))) == str(error)
    except Exception:
        return False
