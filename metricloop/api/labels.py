"""Which labels of a data set look wrong."""

from __future__ import annotations

import pandas as pd

from metricloop.api.data import Data, InputError, objects_of, truth_rows
from metricloop.api.predictions import Predictions, detections_of
from metricloop.auditing.audit_files import COLUMNS, flat, suspect_rows
from metricloop.auditing.findings import findings
from metricloop.auditing.label_errors import judged_kinds
from metricloop.auditing.run import Audit, AuditError, label_scores
from metricloop.auditing.suspects import LEAST
from metricloop.auditing.truth import truth_of
from metricloop.auditing.worth import in_order
from metricloop.selection.keep_values import without_crowds


def audit(
    data: Data, *, predictions: Predictions | None = None, most: int = 50, least: float = LEAST, jobs: int = 1
) -> pd.DataFrame:
    """List the labels that are probably wrong, the most probable first.

    All metrics of the catalogue about labels score the data, and errors that are put into the labels for comparison:
    how much a label looks like these, and how many do, gives the probability that it is wrong. The kinds are spurious
    (no object there), class (another class), placed (badly placed), doubled (labelled twice) and missing (an object
    without a label).

    predictions: what a detector found that was not trained on these images, in a form that `score` takes. Without
        them only `class`, `placed` and `doubled` can be judged, and less well. `table.attrs["notes"]` lists the kinds
        that were not judged, and why.
    most: lines per kind, at most; at least 1.
    least: list what is wrong with at least this probability. 0 lists the most suspicious labels whatever the evidence.
    jobs: worker processes for metrics that read pixels; 0 is one per core.

    Returns one row per suspect: kind, place (1 is the most probable of its kind), order (its place among all kinds, by
    gain per minute), probability (that the label is wrong in any way; missing where the evidence is too poor), minutes
    (of a person), suspicion (0 to 1; its place in the ranking of its kind, no probability), split, file, image_id,
    box_id, label, x1, y1, x2, y2 (missing for a missing label), model_label, model_score, model_x1 to model_y2 (what
    the detector sees instead), other (missing here), truth (what `damage` did: "none" for a false alarm, missing where
    nothing was damaged). Rows are ordered by place, so that head() shows the worst of each kind.
    `table.attrs["expected"]` says by kind how many are wrong, as a careful estimate, and why a list is empty.
    Errors: AuditError where there are no labels; InputError for `most` below 1, for `least` beyond 0 to 1, and for
    predictions that do not fit.

    >>> table = ml.audit(ml.damage(data, "custom", 1.0), least=0)
    >>> table[["kind", "place", "label"]].head(3)
          kind  place  label
    0   placed      1  panda
    1  doubled      1  panda
    2   placed      2  panda
    >>> table.attrs["notes"][1]
    '"Probably the wrong class" is not judged: the pool has only one class.'
    """
    if most < 1:
        raise InputError(f"most={most}; it must be at least 1")
    if not 0 <= least <= 1:
        raise InputError(f"least={least:g}; it is a probability, 0 to 1")
    pool = objects_of(data)
    if not len(pool.boxes):
        raise AuditError(f"none of the {len(pool)} images has a label, so there is nothing to audit")
    found = None if predictions is None else detections_of(predictions, data)
    scores, failed = label_scores(pool, found, jobs=jobs)
    kinds, not_judged = judged_kinds(pool, scores)
    told = findings(kinds, pool, scores, found, most=most, least=least, jobs=jobs)
    rows = truth_rows(data)
    truth = None if rows is None else truth_of(pool, without_crowds(rows, pool))
    listed = in_order(told.suspects)
    made = Audit(pool, kinds, truth, listed, None, {}, [*failed, *not_judged])
    records = [flat(row) for own in listed.values() for row in suspect_rows(made, own)]
    table = pd.DataFrame(records, columns=list(flat(dict.fromkeys(COLUMNS)))).astype({"box_id": "Int64"})
    table = table.sort_values("place", kind="stable", ignore_index=True)
    numbers = [name for name in table if name[-2:] in ("x1", "y1", "x2", "y2")] + ["model_score"]
    table = table.astype(dict.fromkeys(numbers, float))
    table.attrs["notes"] = made.notes
    table.attrs["expected"] = {kind: one.as_json() for kind, one in told.expected.items()}
    return table
