"""Every command of docs/own-metric.md, from the template to the verdict, on the tiny study."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from documented import SHELL
from tiny_study import dvc, make_tiny

from metricloop.data.tables import read_json
from metricloop.study.refresh import refresh_code

pytestmark = pytest.mark.slow

PAGE = Path(__file__).parents[2] / "docs/own-metric.md"


def test_the_page_can_be_followed_line_by_line(tmp_path, walls):
    folder = make_tiny(tmp_path / "lions")
    refresh_code(folder)
    dvc(folder, "repro", "ingest")
    [(_, block)] = SHELL.findall(PAGE.read_text())
    lines = [re.sub(r"\s#.*", "", line) for line in block.splitlines()]
    assert len(lines) == 7
    programs = {"metricloop": [sys.executable, "-P", "-m", "metricloop.cli"], "python": [sys.executable, "-P"]}
    said = []
    for line in lines:
        program, *words = shlex.split(line.replace("~/lions", str(folder)))
        done = subprocess.run([*programs[program], *words], capture_output=True, text=True, check=False, timeout=400)
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
        said.append(done.stdout)
    assert "glare: its test holds" in said[1]
    assert (folder / "try/glare.html").is_file()
    assert "to do: " in said[4]
    [arm] = [arm for arm in read_json(folder / "comparison.json")["arms"] if arm["name"] == "glare"]
    assert arm["verdict"] in ("better", "worse", "undecided")
    assert re.search(r"^\W*glare\b", said[6], re.MULTILINE)
