"""A round without a workspace: drawn frames, a comparison of two arms, and a model with prepared answers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from metricloop.data.dataset import Dataset
from metricloop.data.frame import Detections, Frame
from metricloop.data.tables import SUBSET, write_table
from metricloop.engineer.known_ideas import KnownIdeas, KnownMetric
from metricloop.engineer.open_round import Round
from metricloop.engineer.study_view import StudyView, offered
from metricloop.llm.conversation import Conversation
from metricloop.llm.journal import Journal
from metricloop.llm.message import Reply
from metricloop.metrics.contract import Spec
from metricloop.params import check_params
from metricloop.scoring.gate import GateResult

CODE = """from metricloop.metrics.contract import metric


@metric(level="object")
def wide(frame):
    return frame.boxes[:, 2] - frame.boxes[:, 0]
"""
IDEA = {
    "name": "wide_ones", "hypothesis": "Wide boxes teach more.", "targets": "mixed", "family": "geometry",
    "adapts": "Pandas are wide.",
    "parent": None, "metric": "wide", "partner": None, "code": CODE, "policy": {"name": "best", "direction": "higher"},
    "predicted_gain": 0.02,
}  # fmt: skip
RANDOM = {"role": "baseline", "a": "data/images.parquet", "b": "data/images.parquet", "policy": {"name": "random"}}
COUNTED = {"role": "treatment", "metric": "object_count", "a": "scores/labels/object_count.parquet",
           "b": "scores/labels/object_count.parquet", "policy": {"name": "best", "direction": "higher"}}  # fmt: skip

ARMS = """
batches:
  labels: {code: metrics/catalogue.yaml, needs: data/images.parquet, metrics: [object_count]}
arms:
  random: {role: baseline, a: data/images.parquet, b: data/images.parquet, policy: {name: random}}
blocks:
  random.0: {arm: random, seeds: "0-1"}
"""


REFUTED = "is refuted: 95 % interval \u22120.040 to \u22120.010"


def accepting(name: str) -> GateResult:
    """A gate that accepts a metric of this name, which scores objects."""
    return GateResult(Spec(name, "object"), ())


def proposal(*changes: dict) -> str:
    return json.dumps({"suggestions": [IDEA | change for change in changes]})


def drawn(count: int) -> list[Frame]:
    """Drawn images with their boxes; every second box is also a prediction."""
    rng, frames = np.random.default_rng(0), []
    for k in range(count):
        image = np.full((120, 160, 3), 90, np.uint8) + rng.integers(0, 60, (120, 160, 3), np.uint8)
        n = 1 + k % 3
        corner = rng.uniform(5, 60, (n, 2))
        boxes = np.concatenate([corner, corner + rng.uniform(15, 50, (n, 2))], axis=1).astype(np.float32)
        for x1, y1, x2, y2 in boxes.astype(int):
            image[y1:y2, x1:x2] = rng.integers(0, 255, 3)
        found = Detections(
            boxes[::2] + 2, rng.uniform(0.3, 1, len(boxes[::2])).astype(np.float32), np.zeros(len(boxes[::2]), int)
        )
        frames.append(Frame(k, 160, 120, boxes, np.zeros(n, np.int64), image=image, predictions=found))
    return frames


def pool_of(frames: list[Frame], split: str = "pool") -> Dataset:
    counts, n = [len(frame.boxes) for frame in frames], len(frames)
    names = np.array([f"{frame.image_id}.jpg" for frame in frames])
    return Dataset(
        root=Path("."), class_names=("panda",), image_id=np.arange(n), file=names, sha256=names,
        width=np.full(n, 160), height=np.full(n, 120), group=names, split=np.full(n, split),
        box_id=np.arange(sum(counts)), boxes=np.concatenate([frame.boxes for frame in frames]),
        labels=np.zeros(sum(counts), np.int64), crowd=np.zeros(sum(counts), bool),
        offsets=np.concatenate([[0], np.cumsum(counts)]),
    )  # fmt: skip


def pictured_pool(folder: Path, frames: list[Frame], names: Sequence[str]) -> Dataset:
    """The pool of these frames, with their images in files of these names in `folder`."""
    files = [cv2.imencode(".png", frame.image)[1].tobytes() for frame in frames]
    for name, data in zip(names, files, strict=True):
        (folder / name).write_bytes(data)
    sums = np.array([hashlib.sha256(data).hexdigest() for data in files])
    return replace(pool_of(frames), root=folder, file=np.array(names), sha256=sums)


def with_truth_arm(study: StudyView) -> StudyView:
    """The study with subsets on disk of two arms: counted, and oracle, which is made from the truth."""
    box = {name: [None] for name in ("box_id", "x1", "y1", "x2", "y2", "label")}
    for arm in ("oracle", "counted"):
        kept = {"draw": [0], "image_id": [1], **box, "use": ["none"]}
        write_table(study.folder / f"subsets/{arm}.parquet", SUBSET, kept)
    truth = {"role": "control", "a": "data/truth.parquet", "b": "data/truth.parquet", "policy": {"name": "oracle"}}
    return replace(study, plan=study.plan | {"arms": study.plan["arms"] | {"oracle": truth}})


def row(name: str, role: str, policy: dict, gain: float | None = None, metric: str | None = None) -> dict:
    change = gain and {"abs": gain, "rel": 0.1, "ci95": [gain - 0.02, gain + 0.02], "p": 0.4, "p_holm": 0.5}
    mean = 0.3 + (gain or 0)
    spread = {"mean": mean, "sd": 0.01, "per_seed": [mean - 0.01, mean, mean + 0.01]}
    return {
        "name": name, "role": role, "group": None, "metric": metric, "policy": policy, "images": 3,
        "boxes": 6, "boxes_ratio": 1.0, "seeds": [0, 1, 2], "baseline_seeds": 3,
        "mAP": spread, "mAR": spread, "mAP50": spread, "gain": change and {"mAP": change, "mAR": change},
        "verdict": "undecided" if gain else None, "seeds_needed": None,
    }  # fmt: skip


def study_view(folder: Path, frames: list[Frame], **llm) -> StudyView:
    params = check_params(
        {"study": {"name": "s"}, "data": {"source": "y"}}
        | {
            "llm": {"provider": "openai", "model": "stub", "prices": {"stub": [1, 1]}, "pictures": "none", "explore": 0}
            | llm
        }
    )
    plan = {
        "batches": {"labels": {"code": "metrics/catalogue", "needs": "x", "metrics": ["object_count"]}},
        "arms": {"random": RANDOM, "counted": COUNTED},
        "blocks": {},
    }
    arms = [
        row("random", "baseline", {"name": "random"}),
        row("counted", "treatment", COUNTED["policy"], -0.01, "object_count"),
    ]
    return StudyView(
        folder,
        params,
        plan,
        pool_of(frames),
        pool_of(frames, "search"),
        {"arms": arms, "smallest_gain": 0.02},
        Journal(folder).events,
    )


class Model:
    """Gives its prepared answers one after the other, and keeps the questions in `asked`."""

    def __init__(self, *lines) -> None:
        self.lines, self.asked = list(lines), []

    def complete(self, messages, schema, *, most_tokens, seconds) -> Reply:
        self.asked.append([message.text for message in messages])
        line = self.lines.pop(0)
        if isinstance(line, BaseException):
            raise line
        return line if isinstance(line, Reply) else Reply(line, "stub-1", "stop", "schema", 100, 50, False, 1.0)


def make_round(
    folder: Path, model: Model, check_code, frames: list[Frame], number: int = 1, known: KnownIdeas | None = None,
    check_repair=None, **llm,
):  # fmt: skip
    """A round in `folder` whose code is checked by `check_code`; the second value collects the lines that it shows."""
    study = study_view(folder, frames, **llm)
    known = known or KnownIdeas(
        metrics={"object_count": KnownMetric("image", COUNTED["a"])},
        arms=dict(study.plan["arms"]),
        reserved=frozenset({"box_tightness"}),
        families={},
        refuted={"counted": REFUTED},
        offered=offered(study),
    )
    said: list[str] = []
    return Round(
        number,
        study,
        Conversation(study.params.llm, Journal(folder), model=model),
        known,
        check_code,
        check_repair,
        frames,
        said.append,
    ), said
