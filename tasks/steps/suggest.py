"""suggest: run one round of the language model; its accepted ideas become files of code, arms and blocks."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from metricloop.data.tables import UNSAFE
from metricloop.engineer.ideas import ideas
from metricloop.engineer.open_round import open_round
from metricloop.engineer.progress import next_round, plan_before
from metricloop.engineer.round import run_round
from metricloop.engineer.study_view import read_study
from metricloop.llm.budget import SpentError
from metricloop.llm.cassette import NotRecordedError
from metricloop.llm.conversation import open_engineers
from metricloop.llm.journal import Journal
from metricloop.params import load_params
from metricloop.runtime.stage_start import ROUNDS_LOCK, die_with_ancestors, hold_lock, tell_errors_briefly
from metricloop.sandbox.tiers import missing
from metricloop.study.plan import write_rounds
from metricloop.text import numbers


def main(number: int) -> None:
    tell_errors_briefly("suggest")
    die_with_ancestors()
    hold_lock(ROUNDS_LOCK)
    folder, params = Path(), load_params()
    journal = Journal(folder)
    if journal.last("suggested", round=number):
        return  # this round's suggestions are in rounds.yaml already
    unsafe = os.environ.get(UNSAFE) == "1"
    if (lacks := missing()) and not unsafe:
        print(f"round {number}: left out, because its metrics are unread code and there is no sandbox here: {lacks[0]}")
        return
    if number > next_round(journal.events):
        print(f"round {number}: left out, because round {number - 1} is not finished")
        return
    study = read_study(folder, params, plan_before(number, journal, folder), journal.events)
    try:
        conversation, *others = open_engineers(journal, params.llm)
        addition, limit = run_round(open_round(number, study, conversation, unsafe), *others)
    except SpentError as error:
        addition, limit = {}, error
    except NotRecordedError as error:
        print(f"round {number}: left out: {error}")
        return
    write_rounds(addition)
    if limit:  # the round stays open, and goes on when the limit is raised
        journal.once("stopped", {"round": number, "reason": str(limit)})
        print(f"round {number}: stopped: {limit}; raise it in params.yaml to go on")
        return
    tried = {name: arm for name, arm in addition["arms"].items() if arm["role"] == "treatment"}  # no control
    own = [name for name, arm in tried.items() if "variant_of" not in arm]
    variants = numbers.count(len(tried) - len(own), "variant")
    found = [idea for idea in ideas(journal.events) if idea.round == number and not idea.variant_of]
    refused = sorted(idea.name for idea in found if idea.state == "refused")
    journal.add("suggested", round=number, accepted=list(tried), refused=refused)  # last: the round is done
    more = f", and {variants}; short trials choose among them" if len(own) < len(tried) else ""
    print(f"round {number}: {len(own)} of {numbers.count(len(own) + len(refused), 'suggestion')} will be tried{more}")


if __name__ == "__main__":
    main(int(sys.argv[1]))
