"""Everything of ours has one name, metricloop: nothing is importable by another, and nothing takes its place."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import metricloop

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("tasks", "flows", "metrics")
HOSTILE = ("metrics/__init__.py", "tasks.py", "select.py", "llm/__init__.py", "flows/__init__.py", "metricloop.py")
ORIGINS = """
import importlib.util, json, sys
found = [importlib.util.find_spec(name) for name in sys.argv[1:]]
print(json.dumps([path for spec in found if spec for path in [spec.origin, *(spec.submodule_search_locations or [])]]))
"""


def python(*arguments: str, cwd: Path) -> subprocess.CompletedProcess:
    """Run Python in a folder, which is first on its module path unless -P is given."""
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONSAFEPATH")}
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize("name", FOLDERS)
def test_a_folder_of_the_root_is_not_importable_by_its_short_name(name):
    done = python("-c", f"import {name}", cwd=ROOT)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(f"ImportError: this package is called metricloop.{name}")
    done = python("-c", f"import metricloop.{name}; print(metricloop.{name}.__file__)", cwd=ROOT)
    assert done.stdout.strip() == str(ROOT / "metricloop" / name / "__init__.py")


def test_the_environment_exposes_one_name_of_ours(tmp_path):
    inside = {path.stem for path in [*(ROOT / "metricloop").iterdir(), *ROOT.iterdir()]}
    names = sorted(name for name in inside - {"metricloop"} if name.isidentifier() and not name.startswith("_"))
    assert {"tasks", "llm", "params", "tests", "docs"} <= set(names)
    done = python("-P", "-c", ORIGINS, "metricloop", *names, cwd=tmp_path)
    places = [Path(path) for path in json.loads(done.stdout) if path and Path(path).is_absolute()]
    ours = [path for path in places if path.is_relative_to(ROOT) and not path.is_relative_to(sys.prefix)]
    assert [path.relative_to(ROOT).as_posix() for path in ours] == ["metricloop/__init__.py", "metricloop"]


def test_files_of_the_current_folder_do_not_take_the_place_of_ours(tmp_path):
    for name in HOSTILE:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("raise SystemExit('hostile')\n")
    modules = [f"metricloop.{name}" for name in ("tasks.select", "flows.reaper", "metrics.contract", "llm.prices")]
    ask = "import importlib, sys; print(*(importlib.import_module(name).__file__ for name in sys.argv[1:]), sep='\\n')"
    done = python("-P", "-c", ask, *modules, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert [Path(line) for line in done.stdout.splitlines()] == [
        Path(metricloop.__file__).parent.joinpath(*name.split(".")[1:]).with_suffix(".py") for name in modules
    ]
    assert "sage: metricloop" in python("-P", "-m", "metricloop.cli", "--help", cwd=tmp_path).stdout


@pytest.mark.parametrize("step", ["train", "select"])
def test_a_step_run_as_a_script_works_or_says_how_to_run_it(step):
    done = python(f"tasks/{step}.py", cwd=ROOT)
    assert done.returncode == 1
    said = done.stderr.splitlines()[-1]
    assert "python -P -m metricloop.tasks" in said
