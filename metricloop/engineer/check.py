"""Answers the question `check`: which rules of the gate code of a metric or repair breaks, before it is proposed."""

from __future__ import annotations

from metricloop.engineer.desk import Answer, Desk
from metricloop.engineer.prompt_text import shapes
from metricloop.engineer.questions import Check
from metricloop.engineer.rules import MOST_SAID, broken_name
from metricloop.scoring.gate_rules import STOPPING, Rule
from metricloop.scoring.metric_file import MetricFile
from metricloop.study.try_metric import mentions_repair
from metricloop.text.clean import clean
from metricloop.text.numbers import count

FILE = "check.py"


def check(ask: Check, desk: Desk) -> Answer:
    """Run the code on the gate's images in the sandbox; it does not count as a repair of an idea.

    Errors: SandboxError where there is none.
    """
    repair = mentions_repair(ask.code)
    run = desk.gate.check_repair if repair else desk.gate.check
    named = broken_name(ask.name, desk.gate.known, repair=repair)
    broken = [named] if named else list(run(MetricFile(ask.code, FILE), ask.name).broken)
    if not broken:
        return Answer(f"{ask.name} passes the gate: it keeps every rule on {count(len(desk.gate.frames), 'image')}.")
    lines = [f'- rule "{rule.rule}": {clean(rule.said, MOST_SAID)}' for rule in broken]
    rest = " The rules after it were not checked." if broken[0].rule in (Rule.NAME, *STOPPING) else ""
    frames = f"Some of the images that it was tried on: {shapes(desk.gate.frames)}."
    return Answer("\n".join([f"{ask.name} does not pass the gate.{rest}", *lines, *([] if named else [frames])]))
