"""What the server answers: its models, with examples for the documentation, and how detections become JSON."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Any

import numpy as np
from fastapi import Query, Response
from pydantic import BaseModel, ConfigDict, Field, create_model

from metricloop.serving.batches import Seen
from metricloop.serving.limits import MOST_DETECTIONS

Score = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False, description="the least score of a detection")]


class Options(BaseModel):
    """The query parameters of a prediction."""

    model_config = ConfigDict(extra="forbid")

    score: Score
    max: int = Field(100, ge=1, le=MOST_DETECTIONS, description="the most detections of a picture")


def read_options(usual: float) -> Callable[[Options], Awaitable[Options]]:
    """A dependency of FastAPI that reads Options from a query. usual: the score where none is given."""
    with_default = create_model("Options", __base__=Options, score=(Score, usual))

    async def read(options: Options) -> Options:  # not in another thread, as FastAPI would run a plain function
        return options

    read.__annotations__["options"] = Annotated[with_default, Query()]
    return read


class Detection(BaseModel):
    """One object found on a picture."""

    label: int = Field(ge=0, description="the class's place in the detector's list, from 0", examples=[0])
    name: str = Field(description="the class", examples=["panda"])
    score: float = Field(ge=0, le=1, examples=[0.93])
    box: list[float] = Field(
        min_length=4,
        max_length=4,
        description="x1, y1, x2, y2 in pixels of the picture as shown",
        examples=[[12.5, 8.25, 64.0, 71.5]],
    )


class Picture(BaseModel):
    """The detections of a picture, best first."""

    file: str = Field(description="the file's name, or its place in `images`", examples=["panda.jpg"])
    width: int = Field(ge=1, description="pixels, after the picture's orientation is applied", examples=[96])
    height: int = Field(ge=1, examples=[96])
    detections: list[Detection]


class Prediction(BaseModel):
    """One entry per picture, in the order they were sent."""

    pictures: list[Picture]


class Health(BaseModel):
    status: str = Field(examples=["ok"])


def prediction(names: Sequence[str], seen: Sequence[Seen], classes: Sequence[str], options: Options) -> Response:
    """The answer to a request: the detections of each picture that reach the score."""
    pictures = [
        {
            "file": name,
            "width": each.width,
            "height": each.height,
            "detections": _detections(each, classes, options),
        }
        for name, each in zip(names, seen, strict=True)
    ]
    return json_answer({"pictures": pictures})


def _detections(seen: Seen, classes: Sequence[str], options: Options) -> list[dict[str, Any]]:
    found = seen.found
    kept = np.flatnonzero((found.scores >= options.score) & np.isfinite(found.boxes).all(axis=1))[: options.max]
    labels = found.labels[kept].tolist()
    scores = found.scores[kept].astype(np.float64).round(6).tolist()
    boxes = found.boxes[kept].astype(np.float64).round(3).tolist()
    return [
        {"label": label, "name": classes[label], "score": score, "box": box}
        for label, score, box in zip(labels, scores, boxes, strict=True)
    ]


def json_answer(value: Any) -> Response:
    content = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    return Response(content, media_type="application/json", headers={"Cache-Control": "no-store"})
