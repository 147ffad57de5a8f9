"""suggest: a round's ideas become files of code and arms; metric, direction and policy are fixed before any trial."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from metricloop.data.frame import Frame
from metricloop.data.tables import read_json
from metricloop.engineer.briefing import Scene, known_metrics, opening, past_ideas, read_scene, refuted
from metricloop.engineer.round import Round
from metricloop.engineer.rules import Bench
from metricloop.llm.conversation import Conversation
from metricloop.llm.journal import Event, Journal
from metricloop.llm.message import Message
from metricloop.llm.prices import cost
from metricloop.llm.wire import estimate_tokens
from metricloop.metrics.contract import spec_of
from metricloop.params import Params, load_params
from metricloop.sandbox.limits import Limits
from metricloop.sandbox.supervisor import Sandbox
from metricloop.scoring.batch import sandbox
from metricloop.scoring.evidence import PREDICTED, read_predictions
from metricloop.scoring.gate import BrokenRule, GateResult, pass_gate
from metricloop.scoring.metric_file import Source, load, read_source
from metricloop.scoring.open_metrics import GENERATED, catalogue
from metricloop.scoring.probe_frames import scores_so_far, specimens
from metricloop.scoring.sandboxed import declared, score
from metricloop.scoring.score import patience
from metricloop.study.plan import FILES, Plan, PlanError, load_plan


def begin(number: int, scene: Scene, talk: Conversation, unsafe: bool = False) -> Round:
    """A round with everything it needs. unsafe: its code is loaded in this process, unread, and held to no rule."""
    found = scene.folder / PREDICTED
    rows, frames = specimens(scene.pool, read_predictions(found) if found.is_file() else None)
    bench = bench_of(scene)
    keeper = Gatekeeper(
        scene.folder, number, bench, frames, Limits.of(scene.params.sandbox),
        scores_so_far(scene.folder, scene.pool, rows), patience(scene.params, len(scene.pool)),
    )  # fmt: skip
    return Round(number, scene, talk, bench, load_unread if unsafe else keeper.judge, frames)


def bench_of(scene: Scene) -> Bench:
    """What the ideas of a round are held against: all that the study has, and had, so far."""
    past = past_ideas(scene)
    known = known_metrics(scene.folder, scene.plan)
    named = {metric for item in scene.plan["batches"].values() for metric in item["metrics"]} | set(catalogue())
    return Bench(
        metrics=known,
        arms=dict(scene.plan["arms"]),
        reserved=frozenset(named - set(known)),
        families={idea.name: idea.family for idea in past if idea.state != "refused"},
        refuted=refuted(past),
    )


@dataclass
class Gatekeeper:
    """Holds code to the rules of the gate, within the walls; knows what was accepted before in the same round.

    earlier: per metric with scores, what it says of each of `frames`. patience: seconds that a frame may take.
    """

    folder: Path
    number: int
    bench: Bench
    frames: Sequence[Frame]
    limits: Limits
    earlier: dict[str, list[np.ndarray]]
    patience: float

    def judge(self, source: Source, name: str) -> GateResult:
        walls = sandbox(self.limits)
        for metric in set(self.bench.metrics) - set(self.earlier):
            self.earlier[metric] = self._scores(walls, metric)
        return pass_gate(walls, source, name, self.frames, self.earlier, self.patience)

    def _scores(self, walls: Sandbox, metric: str) -> list[np.ndarray]:
        """What a metric that was accepted a moment ago says of the frames; the pool is scored later."""
        source = read_source(self.folder / GENERATED / str(self.number) / f"{metric}.py", self.folder)
        spec = declared(walls, source)[metric]
        return [verdict.scores for verdict in score(walls, source, [spec], self.frames)[0]]


def load_unread(source: Source, name: str) -> GateResult:
    """Execute code in this process. Only ever because a person typed --unsafe-in-process."""
    try:
        found = load(source.code, source.filename)
        return GateResult(spec_of(found[name]), ())
    except Exception as error:  # it may raise anything, and goes back to its author
        return GateResult(None, (BrokenRule("loads", f"{type(error).__name__}: {error}"),))


def plan_before(number: int, journal: Journal, folder: Path) -> Plan:
    """The plan as it was before this round; a kill may have come when its arms were written and not yet journaled.

    Errors: PlanError when rounds.yaml holds metrics of this round that the journal knows nothing of.
    """
    plan = load_plan(folder)
    accepted = list(journal.about("accepted", round=number))
    own, known = {event["suggestion"] for event in accepted}, {event["metric"] for event in accepted}
    batches = {name for name, item in plan["batches"].items() if item["code"] == f"{GENERATED}/{number}"}
    if strange := {metric for name in batches for metric in plan["batches"][name]["metrics"]} - known:
        raise PlanError(
            f"{FILES[1]} holds metrics of round {number} ({', '.join(sorted(strange))}) that {journal.path.name} "
            f"knows nothing of; bring that back (git checkout {journal.path.name}), or take them out of {FILES[1]}"
        )
    return {
        "batches": {name: item for name, item in plan["batches"].items() if name not in batches},
        "arms": {name: arm for name, arm in plan["arms"].items() if name not in own},
        "blocks": {name: block for name, block in plan["blocks"].items() if block["arm"] not in own},
    }


def next_round(events: Sequence[Event]) -> int:
    """The round that is under way, or else the next one."""
    return 1 + max((event["round"] for event in events if event["event"] == "suggested"), default=0)


def untried(events: Sequence[Event], folder: Path) -> list[str]:
    """Ideas of earlier rounds that have not been through their experiment: a new round would learn nothing of them."""
    dropped = {(event["round"], event["suggestion"]) for event in events if event["event"] == "dropped"}
    begun = next_round(events)
    accepted = [(e["round"], e["suggestion"]) for e in events if e["event"] == "accepted" and e["round"] < begun]
    tried = {arm["name"] for arm in read_json(folder / "comparison.json")["arms"]}
    return [name for number, name in accepted if (number, name) not in dropped and name not in tried]


def preview(folder: Path) -> str:
    """The prompt that the next round would begin with, and what it would cost; nothing is sent."""
    params, journal = load_params(folder / "params.yaml"), Journal(folder)
    number = next_round(journal.events)
    messages = opening(read_scene(folder, params, plan_before(number, journal, folder), journal.events), number)
    return "\n\n".join([*(_shown(message) for message in messages), _cost(messages, params)])


def _shown(message: Message) -> str:
    pictures = [f"[picture: {picture.title}, {len(picture.jpeg) / 1000:.0f} kB]" for picture in message.pictures]
    return "\n".join([f"----- {message.role} -----", message.text, *pictures])


def _cost(messages: Sequence[Message], params: Params) -> str:
    settings, tokens = params.llm, estimate_tokens(messages)
    least = cost(settings.model, tokens, 0, settings.prices)
    most = cost(settings.model, tokens, settings.answer_tokens, settings.prices)
    money = "no price is known for it" if least is None or most is None else f"${least:.4f} to ${most:.4f}"
    return (
        f"-----\nabout {tokens:,} tokens to {settings.model}, and {settings.answer_tokens:,} at most back: {money} for "
        f"the proposal; up to {settings.repairs} repairs per suggestion and a reflection follow. Nothing was sent."
    )
