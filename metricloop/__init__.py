"""Which images and labels should I train on? Quality metrics for object-detection data, put to the test.

Everything named in `__all__` is imported when it is first used, so that `import metricloop` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from metricloop.data.dataset import Dataset as Dataset
    from metricloop.data.frame import Frame as Frame
    from metricloop.metrics.contract import metric as metric

HOMES = {
    "Dataset": "metricloop.data.dataset",
    "Frame": "metricloop.data.frame",
    "metric": "metricloop.metrics.contract",
}
__all__ = ["Dataset", "Frame", "metric"]


def __getattr__(name: str) -> Any:
    if name not in HOMES:
        raise AttributeError(f"module 'metricloop' has no attribute {name!r}; it has {', '.join(__all__)}")
    return getattr(import_module(HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
