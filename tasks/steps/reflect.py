"""reflect: show the language model the results of a round, and write its conclusions to the journal."""

from __future__ import annotations

import sys
from pathlib import Path
from textwrap import shorten

from metricloop.engineer.reflect import reflect
from metricloop.engineer.study_view import read_study
from metricloop.llm.budget import SpentError
from metricloop.llm.cassette import NotRecordedError
from metricloop.llm.conversation import open_engineers
from metricloop.llm.journal import Journal
from metricloop.params import load_params
from metricloop.runtime.stage_start import ROUNDS_LOCK, die_with_ancestors, hold_lock, tell_errors_briefly
from metricloop.study.plan import load_plan
from metricloop.text.clean import clean

SHOWN = 240  # characters of a conclusion, in the terminal


def main(number: int) -> None:
    tell_errors_briefly("reflect")
    die_with_ancestors()
    hold_lock(ROUNDS_LOCK)
    folder, params, journal = Path(), load_params(), Journal()
    if journal.last("suggested", round=number) is None or journal.last("reflected", round=number):
        return
    study = read_study(folder, params, load_plan(folder), journal.events)
    conversation = open_engineers(journal, params.llm)[0]  # the first engineer concludes for all
    try:
        learnt = reflect(study, number, conversation)
    except SpentError as error:
        journal.once("stopped", {"round": number, "reason": str(error)})
        print(f"round {number}: no reflection: {error}")
        return
    except NotRecordedError as error:
        print(f"round {number}: no reflection: {error}")
        return
    answered = journal.last("answered", round=number, step="reflect")
    lessons = [lesson.model_dump() for lesson in learnt.lessons] if learnt else []
    journal.add(
        "reflected", round=number, summary=learnt.summary if learnt else "", lessons=lessons,
        recorded=answered["recorded"] if answered else None,
    )  # fmt: skip
    if learnt:
        day = answered["recorded"] if answered else None
        when = f", recorded on {day} about other numbers" if day else ""
        said = shorten(clean(learnt.summary, len(learnt.summary) + 1), SHOWN, placeholder=" ... (the report has all)")
        print(f"round {number}: the model's conclusion{when}: {said}")
    elif answered:
        print(f"round {number}: the model's conclusion could not be read; the numbers are complete without it")


if __name__ == "__main__":
    main(int(sys.argv[1]))
