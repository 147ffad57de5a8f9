"""The table of families: one entry per module of the catalogue."""

import pkgutil

from metricloop.metrics import catalogue
from metricloop.metrics.families import FAMILIES, place_of
from metricloop.scoring.open_metrics import catalogue as metrics


def test_every_module_with_metrics_has_one_entry():
    assert set(FAMILIES) == {name for _, name, _ in pkgutil.iter_modules(catalogue.__path__) if name[0] != "_"}
    assert set(FAMILIES) == {metric.__module__.rpartition(".")[2] for metric in metrics().values()}


def test_an_unknown_family_comes_last():
    assert sorted(["control", "mine", "fit"], key=place_of) == ["fit", "control", "mine"]
