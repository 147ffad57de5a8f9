"""What works on a Mac, as far as a Linux machine can play one: all but code that nobody has read, which is said."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from test_contained_study import REPLAY, add_own, record
from tiny_study import make_tiny, metricloop

from metricloop.data.tables import read_json, read_yaml
from metricloop.study.edit_params import change_params

AS_MACOS = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1] / "support" / "as_macos")}
NO_SANDBOX = "there is no sandbox here: Linux: this is Darwin; run metricloop in a Linux container or virtual machine"
EVERY_MODULE = """
import importlib, pkgutil, metricloop
for module in pkgutil.walk_packages(metricloop.__path__, "metricloop."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
from metricloop.sandbox import libc
assert hasattr(libc, "no_prctl")  # so the code that ran was the altered one
"""


def test_doctor_says_what_is_missing():
    done = metricloop("doctor", env=AS_MACOS)
    assert done.returncode == 1
    assert "Linux: this is Darwin" in done.stdout
    assert re.search(r"^tier +none", done.stdout, re.MULTILINE)


def test_a_round_of_a_language_model_is_left_out_with_one_line(tiny):
    record(tiny)
    change_params(tiny / "params.yaml", list(REPLAY[1:]))
    step = [sys.executable, "-P", "-m", "metricloop.tasks.steps.suggest", "1"]
    done = subprocess.run(step, cwd=tiny, env=AS_MACOS, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("\n") == 1
    assert NO_SANDBOX in done.stdout


@pytest.mark.slow
def test_every_module_can_be_imported():
    done = subprocess.run(
        [sys.executable, "-P", "-c", EVERY_MODULE], env=AS_MACOS, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.slow
def test_a_whole_study_runs_without_the_arms_of_a_model_and_with_a_metric_that_was_read(tmp_path):
    folder = make_tiny(tmp_path / "tiny")
    add_own(folder)
    record(folder)
    done = metricloop("run", "-C", str(folder), "--trust", str(folder / "mine.py"), *REPLAY, env=AS_MACOS)
    assert done.returncode == 0, done.stdout + done.stderr
    (line,) = [line for line in done.stdout.splitlines() if "left out" in line]
    assert NO_SANDBOX in line
    compared = [arm["name"] for arm in read_json(folder / "comparison.json")["arms"]]
    assert sorted(compared) == ["large", "object_count", "random"]
    assert list(read_yaml(folder / "rounds.yaml")["arms"]) == ["large"]
    assert read_json(folder / "scores" / "mine" / "trust.json") == {"trust": "trusted", "tier": None}
    assert (folder / "report.html").is_file()
