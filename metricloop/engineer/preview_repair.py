"""Answers a preview of a repair: which edits it would make, and how labels and predictions agree before and after.

The truth about planted mistakes is not read, since a real study has none.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from metricloop import layout
from metricloop.data.dataset import Dataset
from metricloop.data.edit_rows import KINDS
from metricloop.data.edits import EDITS, apply_edits, taken
from metricloop.data.tables import column, read_table
from metricloop.engineer.desk import Answer, Desk, QuestionError
from metricloop.engineer.questions import Preview
from metricloop.engineer.study_view import known_repairs
from metricloop.evaluation.label_f1 import CLAIM, claims_of, label_f1
from metricloop.figures.asked_pictures import strips_of_images
from metricloop.figures.choose_examples import shuffled
from metricloop.figures.contact_sheet import LAYOUTS
from metricloop.llm.message import Picture
from metricloop.mending.mend_pool import MendError, mend_pool
from metricloop.mending.open_repair import Opened, SandboxedRepair, open_repair
from metricloop.mending.sandboxed import declared_repairs, repair_sandbox
from metricloop.metrics.contract import MetricError
from metricloop.metrics.repair_contract import RepairError
from metricloop.sandbox.limits import Limits
from metricloop.scoring.metric_file import MetricFile
from metricloop.scoring.metric_inputs import MetricInputs
from metricloop.scoring.score_pool import patience
from metricloop.selection.options import Mend
from metricloop.text.clean import clean
from metricloop.text.numbers import count, fixed

CONFIDENCES = (0.2, 0.4, 0.6, 0.8)
IOUS = (0.5, 0.75, 0.9)  # from which on a label and a prediction agree
MOST_COMPARED = 400  # images, drawn at random, on which labels and predictions are compared
NEEDS = {"image", "predictions"}
FILE = "preview.py"


def preview_repair(ask: Preview, desk: Desk, mend: Mend, edits: pa.Table) -> Answer:
    """Describe what a repair would change in the pool. mend: the policy's option of that name."""
    lines = [
        f"Edits of `{clean(mend.repair, 60)}` on {count(len(desk.pool), 'image')} with "
        f"{count(len(desk.pool.boxes), 'label')}, by least confidence:",
        "",
        *strength_table(desk, edits),
    ]
    if failed := int(np.isnan(column(edits, "confidence")).sum()):
        lines.append(f"\nIt fails on {count(failed, 'image')}, which keep their labels.")
    return Answer("\n".join(lines), _pictures(ask, desk, edits, mend))


def strength_table(desk: Desk, edits: pa.Table) -> list[str]:
    """Per least confidence: edits by kind, images that change, and the agreement of labels and predictions."""
    pool = desk.pool
    rows = np.sort(np.random.default_rng(0).permutation(len(pool))[:MOST_COMPARED])
    claims = claims_of(desk.predictions) if desk.predictions is not None else None
    kinds, confidence = np.array(edits["kind"].to_pylist(), object), column(edits, "confidence")
    told = ["least confidence", *KINDS, "images"]
    told += [f"agreement, IoU {fixed(at, 2)}" for at in IOUS] if claims is not None else []
    lines = [f"| {' | '.join(told)} |", f"|{' --- |' * len(told)}"]
    for least in (None, *CONFIDENCES):
        kept = np.zeros(len(edits), bool) if least is None else confidence >= least
        mended = pool if least is None else apply_edits(pool, edits, least)[0]
        cells = ["labels as they are" if least is None else f"{least:g}"]
        cells += [count(int((kinds[kept] == kind).sum())) for kind in KINDS]
        cells.append(count(len(np.unique(column(edits, "image_id")[kept]))))
        cells += [fixed(label_f1(mended, claims, rows, at)) for at in IOUS] if claims is not None else []
        lines.append(f"| {' | '.join(cells)} |")
    if claims is not None:
        lines += [
            "",
            f"Agreement is the F1 of labels and out-of-fold predictions with scores from {CLAIM:g}, on "
            f"{count(len(rows), 'image')}. It rises by itself when a repair follows the predictions, so it is no "
            "proof; what is right is not known here.",
        ]
    return lines


def edits_of(ask: Preview, name: str, desk: Desk) -> pa.Table:
    """The edits of the pool as a table of EDITS. Errors: QuestionError with the line of the code."""
    study, pool = desk.study, desk.pool
    kept = study.folder / layout.edits_file(name)
    if ask.repair_code is None and name in known_repairs(study) and kept.is_file():
        return read_table(kept, EDITS)
    try:
        repair = _open(ask, name, desk)
        columns = mend_pool(MetricInputs(pool, desk.predictions), repair, max_failures=1.0)
    except (RepairError, MetricError, MendError) as error:
        raise QuestionError(clean(str(error), 1000)) from None
    errors = [(int(image), error) for image, error in zip(columns["image_id"], columns["error"], strict=True) if error]
    if len(errors) > study.params.score.max_failures * len(pool):
        first = "; ".join(f"image {image}: {clean(error, 200)}" for image, error in errors[:2])
        raise QuestionError(f"{name} fails on too many images: {first}")
    return pa.table({name: pa.array(columns[name], type=EDITS.field(name).type) for name in EDITS.names}, EDITS)


def _open(ask: Preview, name: str, desk: Desk) -> Opened:
    """The repair of a question, ready to run. Errors: QuestionError; RepairError; MetricError."""
    params = desk.study.params
    limits, known = Limits.of(params.sandbox), known_repairs(desk.study)
    if ask.repair_code is None:
        if name not in known:
            raise QuestionError(f"no repair {clean(name, 60)} is known; known: {', '.join(sorted(known)) or 'none'}")
        return open_repair(str(known[name]["code"]), name, desk.study.folder, limits)
    source = MetricFile(ask.repair_code, FILE)
    specs = declared_repairs(repair_sandbox(limits), source)
    if name not in specs:
        raise QuestionError(f"the code declares {', '.join(specs) or 'no repair'}, not {clean(name, 60)}")
    if strange := set(specs[name].needs) - NEEDS:
        raise QuestionError(f"{name} needs {', '.join(sorted(strange))}; it may need image and predictions")
    if "predictions" in specs[name].needs and desk.predictions is None:
        raise QuestionError("this study has no out-of-fold predictions")
    return SandboxedRepair(source, specs[name], limits, pace=patience(params, len(desk.pool)))


def _pictures(ask: Preview, desk: Desk, edits: pa.Table, mend: Mend) -> tuple[Picture, ...]:
    """One sheet: images that change, at random, with their labels before and after."""
    detail, least = desk.study.params.llm.pictures, mend.least_confidence
    changed = np.unique(column(taken(edits, least, mend.chosen_kinds), "image_id"))
    rows = shuffled(np.flatnonzero(np.isin(desk.pool.image_id, changed)))
    if not ask.pictures or detail == "none" or not len(rows):
        return ()
    mended: Dataset = apply_edits(desk.pool, edits, least, mend.chosen_kinds)[0]
    title = f"{desk.sheets + 1}. What {clean(mend.repair, 60)} changes, from a confidence of {least:g} on"
    sheet = strips_of_images(title, [("Before", desk.pool, rows), ("After", mended, rows)], LAYOUTS[detail])
    if sheet is None:
        return ()
    desk.sheets += 1
    return (sheet,)
