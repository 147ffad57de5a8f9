"""Which images and labels should I train on? Quality metrics for object-detection data, put to the test.

    import metricloop as ml

    data = ml.read_dataset("lions")
    scores = ml.score(data, ["sharpness", "object_count"])
    subset = ml.select(scores["sharpness"], policy="strata", keep=0.25)
    subset.to_coco("subset.json")

docs/api.md describes every name. Each is imported when it is first used, so that `import metricloop` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from metricloop.api.data import Data as Data
    from metricloop.api.data import damage as damage
    from metricloop.api.data import read_dataset as read_dataset
    from metricloop.api.evaluation import Evaluation as Evaluation
    from metricloop.api.evaluation import compare as compare
    from metricloop.api.evaluation import evaluate as evaluate
    from metricloop.api.labels import audit as audit
    from metricloop.api.scores import Score as Score
    from metricloop.api.scores import Scores as Scores
    from metricloop.api.scores import score as score
    from metricloop.api.study import Study as Study
    from metricloop.api.study import open_study as open_study
    from metricloop.api.subset import select as select
    from metricloop.data.dataset import Dataset as Dataset
    from metricloop.data.frame import Detections as Detections
    from metricloop.data.frame import Frame as Frame
    from metricloop.metrics.contract import metric as metric
    from metricloop.metrics.repair_contract import Edit as Edit
    from metricloop.metrics.repair_contract import repair as repair

HOMES = {
    "read_dataset": "metricloop.api.data",
    "score": "metricloop.api.scores",
    "metric": "metricloop.metrics.contract",
    "repair": "metricloop.metrics.repair_contract",
    "select": "metricloop.api.subset",
    "audit": "metricloop.api.labels",
    "damage": "metricloop.api.data",
    "evaluate": "metricloop.api.evaluation",
    "compare": "metricloop.api.evaluation",
    "open_study": "metricloop.api.study",
    "Data": "metricloop.api.data",
    "Score": "metricloop.api.scores",
    "Scores": "metricloop.api.scores",
    "Evaluation": "metricloop.api.evaluation",
    "Study": "metricloop.api.study",
    "Edit": "metricloop.metrics.repair_contract",
    "Frame": "metricloop.data.frame",
    "Detections": "metricloop.data.frame",
    "Dataset": "metricloop.data.dataset",
}
__all__ = [
    "Data",
    "Dataset",
    "Detections",
    "Edit",
    "Evaluation",
    "Frame",
    "Score",
    "Scores",
    "Study",
    "audit",
    "compare",
    "damage",
    "evaluate",
    "metric",
    "open_study",
    "read_dataset",
    "repair",
    "score",
    "select",
]


def __getattr__(name: str) -> Any:
    if name not in HOMES:
        raise AttributeError(f"module 'metricloop' has no attribute {name!r}; it has {', '.join(__all__)}")
    return getattr(import_module(HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
