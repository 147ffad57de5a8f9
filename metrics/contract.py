"""The contract of a metric: a function of one frame, or of the pool, that declares what it needs and returns."""

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
    """A metric is declared wrongly, or returns something that its contract does not allow."""


@dataclass(frozen=True)
class Spec:
    """The declaration of a metric. higher_is: the direction that an arm uses unless it names one."""

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
                f"{self.name}: a metric of scope 'dataset' gets labels and embeddings only, but needs {self.needs}"
            )
        if self.side is not None and ("image" not in self.needs or self.side < 8):
            raise MetricError(f"{self.name}: side={self.side}; it must be 8 pixels or more, and needs must name image")


@dataclass(frozen=True)
class MetricResult:
    """The scores of one metric for one frame, or for the pool: float64, (1,) or (n,); all nan when `error` says why."""

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
    """Declare a function as a metric: attaches a Spec. No registry: files are searched for functions with a Spec.

    level: "image" returns one float; "object" returns (n,) floats in the order of the boxes. nan means "cannot say".
    needs: the optional fields of the frame that it reads. Pixels are decoded only if a metric of the batch needs them.
    scope: a "dataset" metric is called once, with the pool's Dataset in place of a Frame, and returns one score per
        image or per box. With needs=("embedding",) it also gets data.embeddings.Embeddings as a second argument.
    side: long side in pixels of the picture that the metric gets: the frame is resized to it, boxes included. None:
        the picture as it is stored.
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
    """Call a metric and check what it returns: float64, (1,) or (n,), finite or nan.

    subject: a Frame, or the pool's Dataset for a metric of scope "dataset". embedding: the Embeddings of that pool.
    Errors: whatever the metric raises; MetricError that shows what was returned, when it breaks the contract.
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
        return np.array([received])  # the common case, without the cost of making an array
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
