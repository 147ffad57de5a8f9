"""Metrics are found by name in our catalogue and by path in a workspace; nothing else there is executed."""

import subprocess
import sys
from pathlib import Path

import pytest

import metrics.catalogue
from metrics.contract import MetricError, spec_of
from metrics.loading import catalogue, load_metrics

ARTICLE = ["aspect_ratio", "object_count", "object_proximity", "box_tightness", "object_confidence"]
WIDTH = """
from __future__ import annotations
from dataclasses import dataclass
from metrics.contract import metric

@dataclass
class Scale:
    factor: float = 2.0

@metric(level="image")
def width(frame) -> float:
    return Scale().factor * frame.width
"""
EXPLODES = "raise SystemExit('executed')\n"


def test_the_catalogue_holds_the_articles_five_and_each_states_its_direction():
    assert set(ARTICLE) < set(catalogue())
    for name, function in catalogue().items():
        assert spec_of(function).name == name
        assert "Direction:" in function.__doc__
        assert ">>>" in function.__doc__


def test_an_unknown_name_gets_the_nearest_known():
    with pytest.raises(MetricError, match="no metric 'object_cuont' in the catalogue; did you mean 'object_count'"):
        load_metrics("metrics/catalogue", ["object_cuont"])


def test_adopted_code_is_loaded_by_path_from_a_file_or_a_folder(tmp_path):
    adopted = tmp_path / "metrics/adopted"
    adopted.mkdir(parents=True)
    (adopted / "width.py").write_text(WIDTH)
    for code in ("metrics/adopted", "metrics/adopted/width.py"):
        (function,) = load_metrics(code, ["width"], tmp_path)
        assert spec_of(function).level == "image"
        assert function.__module__ not in sys.modules
    with pytest.raises(MetricError, match=r"height\.py does not exist"):
        load_metrics("metrics/adopted", ["height"], tmp_path)


@pytest.mark.parametrize(
    "code",
    [
        "metrics/generated/1",
        "metrics/generated/1/width.py",
        "metrics/adopted/../generated/1",
        "metrics/catalogue/../generated/1",
        "metrics/adopted_not",
        "elsewhere.py",
    ],
)
def test_code_nobody_has_read_is_not_executed(tmp_path, code):
    for path in ("metrics/generated/1/width.py", "metrics/adopted_not/width.py", "elsewhere.py"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(EXPLODES)
    with pytest.raises(MetricError, match="must run in the sandbox"):
        load_metrics(code, ["width"], tmp_path)


def test_a_link_does_not_lead_out_of_the_adopted_folder(tmp_path):
    (tmp_path / "metrics/adopted").mkdir(parents=True)
    (tmp_path / "width.py").write_text(EXPLODES)
    (tmp_path / "metrics/adopted/width.py").symlink_to(tmp_path / "width.py")
    with pytest.raises(MetricError, match="leads outside metrics/adopted"):
        load_metrics("metrics/adopted", ["width"], tmp_path)


def test_a_hostile_package_in_the_workspace_is_not_imported(tmp_path):
    adopted = tmp_path / "metrics/adopted"
    adopted.mkdir(parents=True)
    for folder in (tmp_path / "metrics", adopted):
        (folder / "__init__.py").write_text(EXPLODES)
    (adopted / "width.py").write_text(WIDTH)
    program = (
        "from metrics.loading import load_metrics as load\n"
        "print([f.__name__ for f in load('metrics/catalogue', ['object_count']) + load('metrics/adopted', ['width'])])"
    )
    ours = str(Path(metrics.catalogue.__file__).parents[2])
    command = [sys.executable, "-P", "-c", program]
    env = {"PYTHONPATH": ours}
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert done.stdout == "['object_count', 'width']\n", done.stderr
