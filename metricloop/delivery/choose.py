"""Which arm becomes a detector for use: the winner, or the arm that a person names, if the study allows it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from metricloop import layout
from metricloop.comparison.arm_rows import Arm, of_role
from metricloop.comparison.background import Background
from metricloop.comparison.next_steps import next_steps
from metricloop.study.background import read_background
from metricloop.study.old_labels import arms_of_old_labels
from metricloop.study.plan import load_plan
from metricloop.text.nearest import did_you_mean
from metricloop.text.shell import command_line, run_line

SAID = {
    "worse": "worse than the baseline",
    "undecided": "undecided: it may be no better than the baseline",
    None: "not tested: it is the baseline",
}


class ArmRefusedError(ValueError):
    """This arm is not promoted; the message says why, and what to do."""


def choose(comparison: dict[str, Any], folder: Path, arm: str | None = None, anyway: bool = False) -> Arm:
    """The arm to promote, as in comparison.json. arm: None for the winner; anyway: whatever its verdict.

    The winner is the better treatment with the highest gain, as on the test split; without one, the treatment with the
    highest gain. folder: the workspace, for the commands in messages.
    Errors: ArmRefusedError.
    """
    row = _named(comparison, arm) if arm else _winner(comparison, folder)
    if row["verdict"] == "better" or anyway:
        return row
    said = SAID.get(row["verdict"], row["verdict"])
    others = [other["name"] for other in of_role(comparison, "treatment") if other["verdict"] == "better"]
    way = f"promote an arm that is better ({', '.join(others)})" if others else _way_on(comparison, folder)
    line = command_line("metricloop", "promote", row["name"], "--anyway", "-C", folder)
    raise ArmRefusedError(
        f"{row['name']} is not promoted, because its verdict is {said}. You can {way}; or type {line}, "
        "which is stamped on the detector"
    )


def _way_on(comparison: dict[str, Any], folder: Path) -> str:
    """What brings such a study on, as after its table: never a run that finds nothing to do."""
    known = read_background(folder) if (folder / layout.PARAMS).is_file() else Background(folder)
    step = next_steps(comparison, known)[0]
    return f"{step.sentence[0].lower()}{step.sentence[1:]}: {step.command}"


def _winner(comparison: dict[str, Any], folder: Path) -> Arm:
    treatments = of_role(comparison, "treatment")
    better = [arm for arm in treatments if arm["verdict"] == "better"]
    if not treatments:
        line = command_line("metricloop", "promote", "ARM", "--anyway", "-C", folder)
        raise ArmRefusedError(
            f"the study in {folder} has no arm with a metric yet, so it has no winner; name one: {line}"
        )
    return (better or treatments)[0]


def refuse_old_labels(folder: Path, arm: str, anyway: bool = False) -> str:
    """Refuse an arm if its subset, or the labels of the pool, have changed since its results were made.

    With `anyway` a warning is returned instead; "" if nothing has changed. Errors: ArmRefusedError.
    """
    if not (folder / layout.LOCK).is_file() or arm not in arms_of_old_labels(folder, load_plan(folder)):
        return ""
    said = f"the labels, or what {arm} selects, changed since its results were made"
    again = f"to train on today's labels, bring the study up to date first: {run_line(folder)}"
    if anyway:
        return f"warning: {said}; {again}"
    raise ArmRefusedError(f"{arm} is not promoted: {said}; {again}; or take it as it is, with --anyway")


def _named(comparison: dict[str, Any], name: str) -> Arm:
    rows = {arm["name"]: arm for arm in comparison["arms"]}
    if name not in rows:
        hint = did_you_mean(name, rows, f"there are: {', '.join(rows)}")
        raise ArmRefusedError(f"the study has no results of an arm {name!r}; {hint}")
    return rows[name]
