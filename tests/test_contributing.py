"""CONTRIBUTING.md names files that exist, and everything that is registered has its test and its documentation."""

import inspect
import re
from pathlib import Path

import pytest
import typer

import metricloop as ml
from metricloop.cli.main import app
from metricloop.data import readers
from metricloop.data.formats import formats
from metricloop.data.label_errors import LABEL_ERRORS, PRESETS
from metricloop.detector import architectures
from metricloop.layout import STAGES
from metricloop.llm.providers import provider_names, provider_of
from metricloop.scoring.open_metrics import catalogue as metrics
from metricloop.selection.policies import POLICIES
from metricloop.study.rendering import stage_kinds

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "CONTRIBUTING.md").read_text()
PATHS = sorted({path for path in re.findall(r"`([\w./]+)`", TEXT) if "/" in path and not path.startswith(".")})
KINDS = ("metric", "policy", "detector", "data format", "stage", "command", "provider", "kind of label error")


def words_in(folder: str) -> set[str]:
    """All words of the test files below a folder."""
    return {word for file in (ROOT / folder).rglob("test_*.py") for word in re.findall(r"\w+", file.read_text())}


@pytest.mark.parametrize("path", PATHS)
def test_every_file_named_exists(path):
    """NAME and FAMILY stand for any file of that form."""
    assert list(ROOT.glob(re.sub("NAME|FAMILY", "*", path))), path


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_addition_has_a_row_and_a_recipe(kind):
    assert re.search(rf"^\| a {kind} \| `", TEXT, re.MULTILINE)
    assert re.search(rf"^### A {kind}$", TEXT, re.MULTILINE)


def test_every_room_has_a_row():
    rooms = {f"metricloop/{folder.parent.name}" for folder in ROOT.glob("metricloop/*/__init__.py")}
    links = {f"metricloop/{name}" for name in ("flows", "tasks", "metrics")}
    named = set(re.findall(r"^\| `([\w/]+)` \|", TEXT, re.MULTILINE))
    assert named == (rooms - links) | {"flows", "tasks", "metrics"}


def test_every_metric_has_a_test_and_an_entry_in_the_handbook():
    tested, handbook = words_in("tests/metrics"), (ROOT / "docs" / "metrics.md").read_text()
    assert [name for name in metrics() if name not in tested or name not in handbook] == []


def test_every_policy_has_a_test_and_an_entry_in_the_docs():
    tested, docs = words_in("tests/selection"), (ROOT / "docs" / "policies.md").read_text()
    assert [name for name in POLICIES if name not in tested or f"`{name}`" not in docs] == []


def test_policies_are_those_of_the_folder_in_the_order_of_their_places():
    files = (ROOT / "metricloop" / "selection" / "policies").glob("[!_]*.py")
    named = [name for file in files for name in re.findall(r'@policy\(\s*"(\w+)"', file.read_text())]
    assert sorted(POLICIES) == sorted(named)
    places = [policy.place for policy in POLICIES.values()]
    assert places == sorted(set(places)), "two policies have the same place"


@pytest.mark.parametrize(
    ("function", "listed"),
    [(ml.select, POLICIES), (ml.read_dataset, readers.NAMES), (ml.damage, PRESETS), (ml.audit, LABEL_ERRORS)],
)
def test_the_docstrings_of_the_python_api_list_every_name(function, listed):
    words = set(re.findall(r"[\w-]+", inspect.getdoc(function)))
    assert [name for name in listed if name not in words] == []


@pytest.mark.parametrize("name", readers.NAMES)
def test_every_format_has_a_sign_and_a_test(name):
    assert formats()[name].sign
    assert (ROOT / "tests" / "data" / f"test_formats_{name.replace('-', '_')}.py").is_file()


@pytest.mark.parametrize("name", architectures.NAMES)
def test_every_detector_can_be_built_by_its_module(name):
    text = (ROOT / "metricloop" / "detector" / "architectures" / f"{name}.py").read_text()
    assert re.search(r"^(def build\(|build = )", text, re.MULTILINE)


@pytest.mark.parametrize(
    ("name", "rate"), [("fcos_resnet50_fpn", 1e-4), ("retinanet_resnet50_fpn_v2", 1e-4), ("fcos_shufflenet", 1e-3)]
)
def test_a_detector_states_its_learning_rate(name, rate):
    assert architectures.learning_rate(name) == rate


@pytest.mark.parametrize("name", provider_names())
def test_every_provider_says_what_it_does(name):
    assert f"| `{name}` | {provider_of(name).about} |" in (ROOT / "docs" / "language-model.md").read_text()


def test_every_kind_of_label_error_is_described():
    docs = (ROOT / "docs" / "language-model.md").read_text()
    assert [name for name, error in LABEL_ERRORS.items() if f"| {error.meaning} | `{name}` |" not in docs] == []


def test_every_command_has_a_test():
    tested = words_in("tests")
    names = typer.main.get_command(app).commands
    assert names
    assert [name for name in names if name.replace("-", "_") not in tested and name not in tested] == []


ONLY_SOME = ("embed", "screen", "second_labels", "mend")  # stages that only some studies have


def test_tasks_holds_the_stages_and_nothing_else():
    assert {file.stem for file in (ROOT / "tasks").glob("*.py")} == {*stage_kinds(), "__init__"}


def test_every_stage_is_a_file_of_tasks_and_a_part_of_dvc_yaml():
    declared = (ROOT / STAGES).read_text()
    for kind in stage_kinds():
        assert (ROOT / "tasks" / f"{kind}.py").is_file()
        assert kind in ONLY_SOME or f"metricloop.tasks.{kind}" in declared
