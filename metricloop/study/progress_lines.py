"""The lines with which stages tell their progress, read back as numbers: what a bar is made of."""

from __future__ import annotations

import re
from dataclasses import dataclass

# As `training.trial.progress_line` and `runtime.progress` print them.
TRIAL = re.compile(r"(?P<label>\S.*?): (?P<done>\d+)/(?P<total>\d+)  loss (?P<loss>\S+)  (?P<rate>\d+) images/s")
STEP = re.compile(r"(?P<label>\S.*?): (?P<done>\d+)/(?P<total>\d+) (?P<unit>\w+), (?P<rate>[\d-]+)/s(?:, \d+ s left)?")


@dataclass(frozen=True)
class Progress:
    """label: such as `random.0 seed 3`. done, total: of `unit`. note: what else the line says, such as the loss."""

    label: str
    done: int
    total: int
    unit: str
    note: str = ""


def read_progress(line: str) -> Progress | None:
    """What a line says of the progress of a trial or a step; None for any other line.

    >>> read_progress("random.0 seed 1: 120/250  loss 0.612  48 images/s")
    Progress(label='random.0 seed 1', done=120, total=250, unit='batches', note='loss 0.612')
    """
    line = line.strip()
    if found := TRIAL.fullmatch(line):
        return Progress(found["label"], int(found["done"]), int(found["total"]), "batches", f"loss {found['loss']}")
    if found := STEP.fullmatch(line):
        return Progress(found["label"], int(found["done"]), int(found["total"]), found["unit"])
    return None
