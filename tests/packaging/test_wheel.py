"""The wheel and the source archive: what is in them, and a study run by an installed wheel far from this clone."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from tiny_study import ARMS, CHANGES

from metricloop.runtime import code_digest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("metricloop", "tasks", "flows", "metrics")
LEFT_BY_A_STUDY = tuple(f"metricloop/metrics/{name}" for name in ("catalogue.yaml", "generated/", "adopted/"))
DECOYS = ("tasks", "metrics", "llm", "flows", "detection", "sandbox")
HOSTILE = ("metrics/__init__.py", "tasks.py", "select.py", "llm/__init__.py", "flows/__init__.py", "metricloop.py")
WATCH = """
import os, sys

def note(event, arguments):
    if event == "open" and isinstance(arguments[0], str):
        path = os.path.abspath(arguments[0])
        if path.startswith({clone!r}) and not path.startswith({environment!r}):
            file = os.open({log!r}, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            os.write(file, (path + os.linesep).encode())
            os.close(file)

sys.addaudithook(note)
"""
OWN = '''
from metricloop import metric

@metric(level="image")
def left(frame):
    """Where the leftmost box begins."""
    return frame.boxes[:, 0].min() if len(frame.boxes) else float("nan")
'''


def run(*command: str | Path, **options) -> str:
    """Run a command as from a new terminal, its own folder first on PATH, and return its output; it must succeed."""
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONSAFEPATH")}
    environment["PATH"] = os.pathsep.join([str(Path(command[0]).parent.absolute()), os.environ["PATH"]])
    done = subprocess.run(
        [str(part) for part in command], env=environment, capture_output=True, text=True, check=False, timeout=900,
        **options,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def pip(*arguments: str | Path) -> None:
    """Run this environment's pip; it asks no package index."""
    run(sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments)


@dataclass
class Installed:
    """A wheel in a virtual environment of its own. `log` lists the files of the clone that its processes opened."""

    bin: Path
    site: Path
    log: Path

    def python(self, *arguments: str | Path, **options) -> str:
        return run(self.bin / "python", "-P", *arguments, **options)

    def metricloop(self, *arguments: str | Path, **options) -> str:
        return run(self.bin / "metricloop", *arguments, **options)

    def opened_in_the_clone(self) -> list[str]:
        return self.log.read_text().splitlines() if self.log.exists() else []


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    """A copy of what is packaged, with what a study in the repository's root leaves there.

    A copy, because a build leaves folders behind, and takes deleted modules from those of the build before.
    """
    folder = tmp_path_factory.mktemp("source")
    for name in PACKAGES:
        shutil.copytree(ROOT / name, folder / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    for path in ROOT.iterdir():
        if path.name in ("pyproject.toml", "MANIFEST.in", "README.md", "LICENSE"):
            shutil.copy(path, folder)
    for name in ("metrics/catalogue.yaml", "metrics/generated/1/left.py", "metrics/adopted/left.py"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("a: 1\n")
    for name in ("tests/test_something.py", "docs/page.md"):
        (folder / name).parent.mkdir()
        (folder / name).touch()
    return folder


@pytest.fixture(scope="module")
def wheel(source, tmp_path_factory) -> Path:
    target = tmp_path_factory.mktemp("wheel")
    pip("wheel", source, "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", target)
    return next(target.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory) -> Installed:
    """The wheel in an empty environment, beside decoys; the running environment lends the other packages.

    It lends them by one line of a .pth file. The .pth files in that folder are not read, so the clone that is
    installed there stays out of reach.
    """
    folder = tmp_path_factory.mktemp("installed")
    run(sys.executable, "-m", "venv", "--without-pip", folder / "venv")
    new = Installed(folder / "venv/bin", next(folder.glob("venv/lib/python*/site-packages")), folder / "opened.txt")
    pip("--python", new.bin / "python", "install", "--no-deps", "--no-index", wheel)
    paths = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    (new.site / "lent.pth").write_text("\n".join(sorted(paths)) + "\n")
    for name in DECOYS:
        (new.site / name).mkdir()
        (new.site / name / "__init__.py").write_text(f"raise SystemExit('the decoy {name} was imported')\n")
    (new.site / "watch_clone.pth").write_text("import watch_clone\n")
    places = {"clone": f"{ROOT}{os.sep}", "environment": f"{sys.prefix}{os.sep}", "log": str(new.log)}
    (new.site / "watch_clone.py").write_text(WATCH.format(**places))
    return new


@pytest.fixture(scope="module")
def workspace(installed, tmp_path_factory) -> Path:
    """The tiny study, made by the wheel, with files that would take the place of our modules if they could."""
    folder = tmp_path_factory.mktemp("workspace") / "tiny"
    installed.metricloop("init", folder, "--demo", cwd=folder.parent)
    (folder / "arms.yaml").write_text(ARMS)
    change = "import pathlib, metricloop.study.edit_params as e; e.change_params(pathlib.Path('params.yaml'), {!r})"
    installed.python("-c", change.format(CHANGES), cwd=folder)
    run(shutil.which("git") or "git", "commit", "-qam", "tiny", cwd=folder)
    for name in HOSTILE:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("open('owned.txt', 'w').close()\nraise SystemExit('hostile')\n")
    return folder


def packaged(source: Path) -> set[str]:
    """The files that belong into the wheel: all of the package, less what a study left there."""
    found = set()
    for folder, _, names in os.walk(source / "metricloop", followlinks=True):
        found |= {(Path(folder) / name).relative_to(source).as_posix() for name in names}
    return {name for name in found if not name.startswith(LEFT_BY_A_STUDY)}


def test_the_wheel_holds_every_file_of_the_package_and_nothing_else(source, wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if not name.endswith("/")}
        links = [entry.filename for entry in archive.infolist() if (entry.external_attr >> 28) == 0o12]
    ours = {name for name in names if name.startswith("metricloop/")}
    assert ours == packaged(source)
    assert {name.split("/")[0] for name in names - ours} == {"metricloop-0.1.0.dist-info"}
    assert links == []
    for name in ("tasks/train.py", "flows/experiment.py", "metrics/contract.py", "metrics/catalogue/labels.py"):
        assert f"metricloop/{name}" in ours  # folders, where the repository has links
    kinds = {Path(name).suffix for name in ours}
    assert kinds >= {".py", ".j2", ".css", ".md", ".yaml", ".pt"}
    assert "metricloop/llm/prompts/example.py" in ours  # a folder without __init__.py


def test_the_source_archive_holds_no_links_and_makes_the_same_wheel(source, wheel, tmp_path):
    build = "import sys; from setuptools.build_meta import build_sdist; build_sdist(sys.argv[1])"
    run(sys.executable, "-c", build, tmp_path, cwd=source)
    archive = next(tmp_path.glob("*.tar.gz"))
    with tarfile.open(archive) as members:
        entries = members.getmembers()
    assert all(entry.isfile() or entry.isdir() for entry in entries)
    names = {entry.name.split("/", 1)[1] for entry in entries if entry.isfile()}
    assert names >= packaged(source) | {"pyproject.toml", "README.md", "LICENSE"}
    assert not [name for name in names if name.startswith(("tests", "docs", "tasks", "flows", "metrics"))]
    pip("wheel", archive, "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", tmp_path)
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as again, zipfile.ZipFile(wheel) as first:
        assert sorted(again.namelist()) == sorted(first.namelist())


def test_an_installed_wheel_is_imported_from_its_own_environment(installed, tmp_path):
    modules = ("metricloop", "metricloop.tasks.train", "metricloop.flows.stage", "metricloop.metrics.contract")
    ask = f"import importlib, json; print(json.dumps([importlib.import_module(m).__file__ for m in {modules}]))"
    for file in json.loads(installed.python("-c", ask, cwd=tmp_path)):
        assert Path(file).is_relative_to(installed.site)
    before = installed.opened_in_the_clone()
    installed.python("-c", f"open({str(ROOT / 'pyproject.toml')!r})")
    assert installed.opened_in_the_clone() == [*before, str(ROOT / "pyproject.toml")]  # the watch does watch
    installed.log.unlink()
    assert before == []


def test_stages_of_the_wheel_score_in_a_workspace_full_of_hostile_names(installed, workspace):
    recorded = yaml.safe_load((workspace / "code.yaml").read_text())  # what the clone would record, too
    stages = [name for name in recorded if code_digest.sources(name)]
    assert {"ingest", "score", "train"} <= set(stages)
    assert [recorded[stage] for stage in stages] == [code_digest.stage_digest(stage) for stage in stages]
    installed.python("-m", "dvc", "repro", "--quiet", "score@labels", cwd=workspace)
    assert (workspace / "scores/labels/object_count.parquet").is_file()
    assert not (workspace / "owned.txt").exists()
    assert installed.opened_in_the_clone() == []


def test_the_sandbox_of_the_wheel_runs_a_persons_metric(installed, workspace, tmp_path, walls):
    installed.python("-m", "dvc", "repro", "--quiet", "score@labels", cwd=workspace)
    (tmp_path / "own.py").write_text(OWN)
    said = installed.metricloop("try", tmp_path / "own.py", "-C", workspace, cwd=workspace)
    assert "left: accepted" in said
    assert not (workspace / "owned.txt").exists()
    assert installed.opened_in_the_clone() == []


@pytest.mark.slow
def test_the_tiny_study_runs_from_the_wheel_to_its_end(installed, workspace):
    installed.metricloop("run", "-C", workspace, cwd=workspace)
    arms = {arm["name"] for arm in json.loads((workspace / "comparison.json").read_text())["arms"]}
    assert arms == {"random", "object_count"}
    said = installed.python("-m", "metricloop.cli", "status", cwd=workspace)
    assert "12 of 12 stages are up to date" in said
    assert not (workspace / "owned.txt").exists()
    assert installed.opened_in_the_clone() == []
