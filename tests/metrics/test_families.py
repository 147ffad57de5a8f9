"""The table of families: one entry per module of the catalogue."""

import pkgutil

from metricloop.metrics import catalogue
from metricloop.metrics.families import FAMILIES, IDEA_FAMILIES, idea_families_table, idea_families_text, place_of
from metricloop.scoring.open_metrics import catalogue as metrics


def test_every_module_with_metrics_has_one_entry():
    assert set(FAMILIES) == {name for _, name, _ in pkgutil.iter_modules(catalogue.__path__) if name[0] != "_"}
    assert set(FAMILIES) == {metric.__module__.rpartition(".")[2] for metric in metrics().values()}


def test_an_unknown_family_comes_last():
    assert sorted(["control", "mine", "fit"], key=place_of) == ["fit", "control", "mine"]


def test_every_module_belongs_to_a_family_of_ideas_and_controls_to_none():
    assert {family.idea for family in FAMILIES.values()} <= {*IDEA_FAMILIES, None}
    assert [name for name, family in FAMILIES.items() if family.idea is None] == ["control"]


def test_prompt_and_docs_list_the_same_families():
    names = [f"`{name}`" for name in IDEA_FAMILIES]
    assert [line.split(":")[0].removeprefix("- ") for line in idea_families_text().splitlines()] == names
    rows = [line.split(" | ") for line in idea_families_table().splitlines()[2:]]
    assert [row[0].removeprefix("| ") for row in rows] == names
    assert {name.strip("` ") for row in rows for name in row[2].split(",") if name.strip()} == set(FAMILIES) - {
        "control"
    }
