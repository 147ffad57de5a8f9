"""`make setup`: what pip is asked for, with and without CPU=1, and what is said where there are no such builds."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

ROOT = Path(__file__).parents[2]
CONSTRAINTS = (ROOT / "constraints.txt").read_text()
PINS = [f"{name}=={re.search(rf'^{name}==(.+)$', CONSTRAINTS, re.M)[1]}" for name in ("torch", "torchvision")]
FAKE = """#!/bin/sh
# stands for python: writes down what pip is asked for, and has no package on the index named "nowhere"
case "$*" in
  "-m venv "*) mkdir -p "$3/bin"; cp "$0" "$3/bin/python";;
  *scripts/install_packages.py*) exec "$REAL_PYTHON" "$@";;
  *"-m pip"*) echo "$*" >> "$PIP_LOG"; case "$*" in *nowhere*) echo "ERROR: no host" >&2; exit 1;; esac;;
esac
"""

pytestmark = pytest.mark.skipif(not shutil.which("make"), reason="needs make")


@pytest.fixture
def make(tmp_path):
    """Run make in a folder with our Makefile, with a Python that only writes down what it is asked: (output, pip)."""
    for name in ("Makefile", "constraints.txt", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "scripts").mkdir()
    shutil.copy(ROOT / "scripts" / "install_packages.py", tmp_path / "scripts")
    python, log = tmp_path / "python", tmp_path / "pip.log"
    python.write_text(FAKE)
    python.chmod(0o755)
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("MAKE") and name != "CPU"}

    def run(*words: str) -> tuple[str, list[str]]:
        log.write_text("")
        done = subprocess.run(
            ["make", "--no-print-directory", f"PYTHON={python}", *words],
            cwd=tmp_path, env=inherited | {"PIP_LOG": str(log), "REAL_PYTHON": sys.executable},
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        return done.stdout, log.read_text().splitlines()

    return run


linux = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere torch's ordinary builds are without CUDA")


def test_setup_installs_what_a_study_needs_and_nothing_that_only_tests_need(make):
    _, asked = make("setup")
    assert asked[-1].split("--editable ")[1] == ".[bundle,heif,takehome]"
    _, asked_for_tests = make("setup-test")
    assert [line.split("--editable ")[1] for line in asked_for_tests] == [".[test]"]
    assert all("--constraint constraints.txt" in line for line in asked + asked_for_tests)


@linux
def test_the_large_packages_come_in_parts_of_their_own_so_that_fewer_downloads_lie_on_the_disk(make, tmp_path):
    said, (cuda, torch, _) = make("setup")
    packages = re.findall(r"\S+==\S+", cuda)
    assert len(packages) >= 10
    assert all(name.startswith("nvidia-") for name in packages)
    assert re.findall(r"(\S+)==", torch) == ["torch", "torchvision", "triton"]
    assert "--no-deps" in cuda
    assert "--no-deps" in torch
    assert len(re.findall(r"^  .+: done in \d+ s$", said, re.MULTILINE)) == 3  # a line for each, in a pipe
    assert "\033" not in said
    assert not (tmp_path / ".venv" / "tmp").exists()


def test_without_room_nothing_is_asked_for_and_one_line_says_how_much_is_needed(monkeypatch, tmp_path, capsys):
    monkeypatch.syspath_prepend(ROOT / "scripts")
    import install_packages

    for free, enough in ((6.8e9, False), (7.1e9, True)):
        monkeypatch.setattr(install_packages.shutil, "disk_usage", lambda _, free=free: SimpleNamespace(free=free))
        assert install_packages.fits(tmp_path, "cuda") == enough
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("no room for the packages: they need 7.0 GB")
    assert "6.8 GB are free" in line
    assert "CPU=1" in line
    monkeypatch.setattr(install_packages.shutil, "disk_usage", lambda _: SimpleNamespace(free=1e6))
    monkeypatch.setattr(sys, "argv", ["install_packages.py", str(tmp_path), "test"])
    assert install_packages.main() == 1
    assert list(tmp_path.iterdir()) == []


@linux
def test_cpu_takes_pinned_builds_without_cuda_and_no_others(make):
    _, (torch, rest) = make("setup", "CPU=1")
    assert torch.split()[-3:] == ["https://download.pytorch.org/whl/cpu", *(f"{pin}+cpu" for pin in PINS)]
    assert "--no-deps" in torch
    assert "index" not in rest  # everything else comes from where it always comes from


@linux
def test_where_such_builds_cannot_be_had_one_line_says_so_and_the_ordinary_ones_are_taken(make, tmp_path):
    said, asked = make("setup", "CPU=1", "TORCH_INDEX=http://nowhere")
    assert len(asked) == 4
    (line,) = [line for line in said.splitlines() if "nowhere" in line]
    assert "could not be had" in line
    assert "taking the ordinary builds" in line
    assert (tmp_path / ".venv" / "cpu-torch.log").read_text() == "ERROR: no host\n"
    assert (tmp_path / ".venv" / "ready").exists()


@linux
def test_an_environment_with_cuda_is_left_as_it_is_and_the_way_to_the_small_one_is_said(make, tmp_path):
    make("setup")
    (tmp_path / ".venv" / "lib" / "python3.11" / "site-packages" / "nvidia").mkdir(parents=True)
    said, asked = make("setup", "CPU=1")
    assert asked == []
    assert "CPU=1 takes effect after: rm -r .venv" in said
    assert make("setup")[1] == []


@linux
def test_later_commands_remember_the_small_install(make, tmp_path):
    make("setup", "CPU=1")
    (tmp_path / ".venv" / "lib" / "python3.11" / "site-packages" / f"torch-{PINS[0][7:]}+cpu.dist-info").mkdir(
        parents=True
    )
    os.utime(tmp_path / "pyproject.toml", (2**32, 2**32))  # changed since
    said, asked = make("setup")
    assert "2.0 GB" in said
    assert len(asked) == 2
