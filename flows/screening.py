"""Short trials before the full ones: the arms below the baseline stop."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from metricloop.comparison.screening import read_screening
from metricloop.flows.decisions import full_trials
from metricloop.flows.pipeline import out_of_date, run_scoring, run_screens
from metricloop.params import Params
from metricloop.study.plan import load_plan, write_rounds
from metricloop.study.processes import say
from metricloop.study.refresh import refresh_code


def screening(folder: Path, params: Params, arms: Collection[str] | None = None) -> None:
    """Run the short trials that are out of date, and plan the full trials of the arms that go on.

    arms: only theirs; by default those of all arms. A plan without screens is left as it is.
    """
    plan = load_plan(folder)
    screens = [name for name, entry in plan["screens"].items() if arms is None or entry["arm"] in arms]
    if not screens:
        return
    refresh_code(folder)  # a round of the model may have brought the first screens
    old = out_of_date(folder, [f"screen@{name}" for name in screens])
    run_scoring(folder, old)
    run_screens(folder, old, params)
    plan = load_plan(folder)  # without arms whose metric failed
    found = read_screening(plan, folder)
    if blocks := full_trials(found, params):
        write_rounds(blocks, folder)
    for words, own in (("go on", found.passed), ("stop", found.stopped)):
        if own and old:
            say(f"after short trials {words}: {', '.join(own)}")
