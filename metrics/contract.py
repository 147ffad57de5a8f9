"""What a metric is: a function of one frame (or of the whole pool) that says what it needs and what it returns."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from metricloop.data.dataset import Dataset
from metricloop.data.frame import Frame, at_side

Level = Literal["image", "object"]
Metric = Callable[..., Any]
NEEDS = ("image", "file_size", "predictions", "views", "embedding")  # the optional fields of a Frame


class MetricError(ValueError):
    """A metric is declared wrongly, or returned something its contract does not allow."""


@dataclass(frozen=True)
class Spec:
    """What a metric declares about itself; `higher_is` is the direction an arm uses unless it names one."""

    name: str
    level: Level
    needs: tuple[str, ...] = ()
    higher_is: Literal["better", "worse"] = "better"
    scope: Literal["frame", "dataset"] = "frame"
    side: int | None = None

    def __post_init__(self) -> None:
        allowed = {"level": ("image", "object"), "higher_is": ("better", "worse"), "scope": ("frame", "dataset")}
        for field, values in allowed.items():
            if getattr(self, field) not in values:
                raise MetricError(f"{self.name}: {field}={getattr(self, field)!r}; it must be one of {values}")
        if not set(self.needs) <= set(NEEDS):
            raise MetricError(f"{self.name}: needs={self.needs!r}; it must be a tuple out of {NEEDS}")
        if self.scope == "dataset" and not set(self.needs) <= {"embedding"}:
            raise MetricError(
                f"{self.name}: a metric of scope 'dataset' sees labels and embeddings only, but needs {self.needs}"
            )
        if self.side is not None and ("image" not in self.needs or self.side < 8):
            raise MetricError(
                f"{self.name}: side={self.side} is of the image, in pixels: 8 and above, with needs image"
            )


@dataclass(frozen=True)
class MetricResult:
    """What one metric said of one frame, or of the pool: float64 scores, (1,) or (n,); all nan where `error` says what
    went wrong.
    """

    scores: np.ndarray
    error: str | None = None


def metric(
    *,
    level: Level,
    needs: Sequence[str] = (),
    higher_is: Literal["better", "worse"] = "better",
    scope: Literal["frame", "dataset"] = "frame",
    side: int | None = None,
) -> Callable[[Metric], Metric]:
    """Declare a function as a metric. Nothing is registered: the Spec is attached to the function itself.

    level: "image" returns one float, "object" returns (n,) floats in the order of the boxes; nan is "cannot say".
    needs: the optional fields of the frame it reads; pixels are decoded only if one metric of a batch needs them.
    scope: "dataset" metrics are called once, with the pool's Dataset in place of a Frame, and return one score per
        image, or per box, of it. With needs=("embedding",) they get data.embeddings.Embeddings as well, as a
        second argument.
    side: the scale a metric of pixels is defined at: the frame, boxes and all, is resized to this long side before
        the metric sees it, and is decoded no larger than its batch allows. None: the picture as it is stored.
    """

    def attach(function: Metric) -> Metric:
        function.spec = Spec(function.__name__, level, tuple(needs), higher_is, scope, side)  # type: ignore[attr-defined]
        return function

    return attach


def is_metric(thing: object) -> bool:
    return isinstance(getattr(thing, "spec", None), Spec)


def spec_of(function: Metric) -> Spec:
    """The Spec attached to a metric; MetricError when there is none."""
    spec = getattr(function, "spec", None)
    if isinstance(spec, Spec):
        return spec
    raise MetricError(f"{getattr(function, '__name__', function)!r} is not a metric; decorate it with @metric(...)")


def call_metric(function: Metric, subject: Frame | Dataset, embedding: Any = None) -> np.ndarray:
    """Call a metric and hold what it returns to its contract: float64, (1,) or (n,), finite or nan.

    `subject` is a Frame, or the pool's Dataset for a metric of scope "dataset"; `embedding` the Embeddings of that
    pool. What the metric itself raises is passed on; a broken contract is a MetricError that names what was received.
    """
    spec = spec_of(function)
    if (spec.scope == "dataset") != isinstance(subject, Dataset):
        raise MetricError(f"{spec.name}: scope {spec.scope!r}, but called with a {type(subject).__name__}")
    given = {"embedding": embedding} if isinstance(subject, Dataset) else vars(subject)
    for need in spec.needs:
        if given.get(need) is None:
            missing = ", ".join(need for need in spec.needs if given.get(need) is None)
            raise MetricError(f"{spec.name} needs {missing}, which the frame does not have")
    one = spec.level == "image" and isinstance(subject, Frame)
    n = 1 if one else len(subject.boxes) if spec.level == "object" else len(subject)  # type: ignore[arg-type]
    if isinstance(subject, Frame) and spec.side is not None:
        subject = at_side(subject, spec.side)
    received = function(subject, embedding) if isinstance(subject, Dataset) and spec.needs else function(subject)
    if one and type(received) is float and not math.isinf(received):
        return np.array([received])  # what most metrics say, without the cost of looking at an array
    try:
        values = np.asarray(received)
    except ValueError:  # a ragged list
        values = np.asarray(None)
    if values.dtype.kind not in "iuf":
        raise MetricError(f"{spec.name} must return real numbers; got {_describe(received, values)}")
    if values.shape not in ([(), (1,)] if one else [(n,)]):
        wanted = "one float" if one else f"one float per {spec.level}, shape ({n},)"
        raise MetricError(f"{spec.name} must return {wanted}; got {_describe(received, values)}")
    if np.isinf(values).any():
        raise MetricError(f"{spec.name} returned infinity (nan is 'cannot say'): {_describe(received, values)}")
    return values.astype(np.float64).reshape(n)


def _describe(received: object, values: np.ndarray) -> str:
    text = np.array2string(values, threshold=6) if values.dtype != object else repr(received)
    return f"{type(received).__name__} of dtype {values.dtype}, shape {values.shape}: {text[:120]}"
