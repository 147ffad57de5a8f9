"""What the checks of a step came to when a conversation was recorded, as far as the recording tells."""

from __future__ import annotations

import re
from collections.abc import Sequence

from metricloop.llm.cassette import Replay
from metricloop.llm.journal import Key
from metricloop.takehome.checks import CHECKS
from metricloop.takehome.history import REPAIR
from metricloop.takehome.result import Result

HEADING = re.compile(r"^# .*: not yet right \(repair (\d+) of (\d+)\)$", re.MULTILINE)
NAMES = {f"## {check.title}": check.name for check in CHECKS}


def recorded_results(replay: Replay, key: Key, checks: Sequence[str]) -> dict[str, Result] | None:
    """The results of a step's checks after the answer `key`, without facts; None when the recording does not tell.

    The question for the next repair names what failed. Without one, all passed, if a repair was left and the
    conversation went on.
    """
    repair = replay.prompt(Key(key.round, REPAIR, key.suggestion, key.attempt + 1))
    if repair is not None:
        failed = {name: said for name, said in findings(repair).items() if name in checks}
        return {name: Result(name not in failed, failed.get(name, "")) for name in checks} if failed else None
    if _went_on(replay, key) and _repair_left(replay, key):
        return {name: Result(True) for name in checks}
    return None


def findings(question: str) -> dict[str, str]:
    """What each check said, by its name, from the question for a repair."""
    found: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in question.rpartition("\n\n")[0].splitlines():  # without the request at the end
        if line in NAMES:
            lines = found.setdefault(NAMES[line], [])
        else:
            lines.append(line)
    return {name: "\n".join(said).strip("\n") for name, said in found.items()}


def _went_on(replay: Replay, key: Key) -> bool:
    """Whether another step was recorded after this one; else a limit may have cut the recording here."""
    last = replay.cassette.calls[-1]
    return (last.round, last.suggestion) != (key.round, key.suggestion)


def _repair_left(replay: Replay, key: Key) -> bool:
    """Whether the model could have been asked for one more repair of this piece."""
    if key.attempt == 0:
        return any(call.step == REPAIR for call in replay.cassette.calls)
    heading = HEADING.search(replay.prompt(key) or "")
    return heading is not None and int(heading[1]) < int(heading[2])
