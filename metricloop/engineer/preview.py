"""Answers the question `preview`: the edits of a repair, and the subset that a metric and a policy would keep.

Nothing is trained.
"""

from __future__ import annotations

from metricloop.engineer.desk import Answer, Desk, QuestionError
from metricloop.engineer.policy_menu import check_offered
from metricloop.engineer.preview_repair import edits_of, preview_repair
from metricloop.engineer.preview_subset import check_scores, preview_subset
from metricloop.engineer.questions import Preview
from metricloop.engineer.rules import ALONE
from metricloop.engineer.study_view import offered


def preview(ask: Preview, desk: Desk) -> Answer:
    """Describe the edits of the policy's repair, if it has one, and the subset by the metric, if one is named.

    Errors: QuestionError.
    """
    try:
        options = check_offered(ask.policy, offered(desk.study))
    except ValueError as error:
        raise QuestionError(f"policy: {error}") from None
    mend = getattr(options, "mend", None)
    if mend is None and ask.repair_code is not None:
        raise QuestionError("with repair_code, the policy's `mend` names the repair")
    if mend is None and ask.metric is None:
        raise QuestionError("name a metric, or a repair in the policy's `mend`")
    by_scores = ask.metric is not None and not (mend and ask.policy["name"] == ALONE)
    if by_scores:
        check_scores(ask, desk, options)
    edits = edits_of(ask, mend.repair, desk) if mend else None
    shown = desk.sheets
    try:
        parts = [preview_repair(ask, desk, mend, edits)] if mend else []
        if by_scores:
            parts.append(preview_subset(ask, desk, options, edits))
    except QuestionError:
        desk.sheets = shown  # a sheet that was drawn before is not shown
        raise
    return Answer("\n\n".join(part.said for part in parts), tuple(p for part in parts for p in part.pictures))
