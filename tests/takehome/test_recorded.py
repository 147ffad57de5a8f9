"""What a recording tells of the checks that were run when it was made."""

from __future__ import annotations

from datetime import date

import pytest

from metricloop.llm.cassette import Cassette, RecordedCall, Replay
from metricloop.llm.journal import Key
from metricloop.takehome import briefing
from metricloop.takehome.recorded import findings, recorded_results

CHECKS = ("training", "tests", "lint")
SAID = [("training", "it took more than 300 s in all"), ("lint", "a.py:1: F401\n\n## no title of a check\n\nmore")]


def recording(*calls, repairs=3):
    """Calls as (step, suggestion, attempt); a repair is asked for with SAID."""
    rest = {"template": "t", "answer": "a", "finish": "stop", "rung": "schema", "prompt_tokens": 1,
            "completion_tokens": 1, "seconds": 1}  # fmt: skip
    made = []
    for step, suggestion, attempt in calls:
        prompt = briefing.repair(suggestion, SAID, attempt, repairs) if step == "repair" else "Write it."
        made.append(RecordedCall(round=1, step=step, suggestion=suggestion, attempt=attempt,
                                 prompt=f"[user]\n{prompt}", **rest))  # fmt: skip
    return Replay(Cassette(model="m", recorded=date(2026, 11, 26), calls=tuple(made)))


def test_the_findings_of_a_repair_are_read_back():
    question = briefing.repair("tests", [*SAID, ("tests", "1 failed")], 1, 3)
    assert findings(question) == {**dict(SAID), "tests": "1 failed"}


def test_what_the_next_repair_names_has_failed_and_the_rest_passed():
    replay = recording(("piece", "tests", 0), ("repair", "tests", 1))
    found = recorded_results(replay, Key(1, "piece", "tests", 0), CHECKS)
    assert {name: (result.passed, result.said) for name, result in found.items()} == {
        "training": (False, SAID[0][1]), "tests": (True, ""), "lint": (False, SAID[1][1]),
    }  # fmt: skip


PIECE, FIRST, SECOND, NEXT = ("piece", "tests", 0), ("repair", "tests", 1), ("repair", "tests", 2), ("piece", "docs", 0)


@pytest.mark.parametrize(
    ("calls", "repairs", "key", "known"),
    [
        ([PIECE, FIRST, NEXT], 3, FIRST, True),
        ([PIECE, FIRST, NEXT], 1, FIRST, False),  # repairs used up: it may have failed
        ([PIECE, FIRST, SECOND, NEXT], 2, SECOND, False),
        ([PIECE, FIRST, NEXT, ("restructure", "restructure", 0)], 1, NEXT, True),
        ([PIECE, NEXT], 3, PIECE, False),  # perhaps recorded with llm.repairs 0
        ([PIECE, FIRST], 3, FIRST, False),  # perhaps a limit ended it here
    ],
)
def test_the_last_answer_of_a_step_passed_if_it_could_have_been_repaired(calls, repairs, key, known):
    found = recorded_results(recording(*calls, repairs=repairs), Key(1, *key), CHECKS)
    assert found is None or all(result.passed for result in found.values())
    assert (found is not None) == known


def test_a_repair_without_a_known_title_tells_nothing():
    replay = recording(("piece", "tests", 0), ("repair", "tests", 1))
    assert recorded_results(replay, Key(1, "piece", "tests", 0), ("endpoint",)) is None
