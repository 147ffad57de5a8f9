"""Play a round to its end: the ideas that pass the gate become files of code, and arms that put them to the test."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from metricloop.data.tables import replacing
from metricloop.engineer.mend import mend, text_of
from metricloop.engineer.propose import propose
from metricloop.engineer.round import Round
from metricloop.engineer.rules import Known
from metricloop.engineer.suggestion import Suggestion
from metricloop.llm.budget import SpentError
from metricloop.metrics.contract import MetricError
from metricloop.scoring.evidence import PREDICTED
from metricloop.scoring.open_metrics import GENERATED
from metricloop.study.plan import Plan


def play(turn: Round) -> tuple[Plan, SpentError | None]:
    """The addition to rounds.yaml, and the limit that left ideas waiting for a repair, if one did.

    Errors: SpentError where not even a proposal can be paid for; ClientError when the model cannot be reached;
    NotRecordedError where a replay has no proposal.
    """
    addition: Plan = {"batches": {}, "arms": {}, "blocks": {}}
    limit = None
    for proposed in propose(turn):
        try:
            accepted = mend(turn, proposed)
        except SpentError as error:
            limit = error
            turn.tell(f"{proposed.name} waits for its repair")
            continue
        if accepted is None:
            continue
        idea, spec = accepted
        known = turn.bench.metrics.get(idea.metric) if idea.code is None else None
        if known is None:
            predicted = "predictions" in spec.needs
            batch = f"round{turn.number}-{'model' if predicted else 'pool'}"
            needs = PREDICTED if predicted else "data/images.parquet"
            empty: dict[str, Any] = {"code": f"{GENERATED}/{turn.number}", "needs": needs, "metrics": []}
            addition["batches"].setdefault(batch, empty)["metrics"].append(idea.metric)
            known = Known(spec.level, f"scores/{batch}/{idea.metric}.parquet")
        arm = idea.arm(known.scores, turn.bench.metrics[idea.partner].scores if idea.partner else None)
        addition["arms"][idea.name] = arm
        block = turn.scene.params.seeds.block
        addition["blocks"][f"{idea.name}.0"] = {"arm": idea.name, "seeds": f"0-{block - 1}"}
        turn.bench.take(idea, known, arm)
        _accept(turn, idea, arm)
    return addition, limit


def _accept(turn: Round, idea: Suggestion, arm: Mapping[str, Any]) -> None:
    """Write the file of the metric, and the event that says so. Errors: MetricError where a link leads elsewhere."""
    passed = turn.journal.last("gate", **turn.of(idea.name))
    attempt = passed["attempt"] if passed else 0
    text, name = text_of(turn, idea, attempt), f"{GENERATED}/{turn.number}/{idea.metric}.py"
    if text:
        folder = turn.scene.folder.resolve()
        if (folder / name).resolve() != folder / name:
            raise MetricError(f"{name} is, or lies behind, a link: unread code is written to a plain folder only")
        with replacing(folder / name) as temporary:
            temporary.write_text(text, newline="")
    turn.journal.once(
        "accepted", turn.of(idea.name), attempt=attempt, metric=idea.metric, arm=dict(arm),
        file=name if text else None, sha256=hashlib.sha256(text.encode()).hexdigest() if text else None,
    )  # fmt: skip
