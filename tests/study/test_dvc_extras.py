"""dvc.yaml of an earlier version learns what DVC shows, and no stage becomes stale by the hint for people."""

import os
import re
import subprocess
import sys

import pytest
import yaml

from metricloop import layout
from metricloop.study.dvc_extras import HINT, wire_hint, wire_lock, wire_numbers, write_extras
from metricloop.study.graph import stages_of
from metricloop.study.rendering import TEMPLATES, render_stages

SHOWN = re.compile(r"    metrics:\n(?:      .*\n)+    plots:\n(?:      .*\n)+")
LOCK = """\
schema: '2.0'
stages:
  train@a.0:
    cmd: python -P -m metricloop.tasks.train a.0 --arm a --seeds 0-2
    deps:
    - path: data/images.parquet
      hash: md5
      md5: '12345678901234567890123456e45678'
      size: 10
  mine:
    cmd: python mine.py
"""


@pytest.mark.parametrize("screens", [False, True])
def test_a_workspace_of_an_earlier_version_gets_what_todays_has(screens):
    today = render_stages(drawn=True, screens=screens)
    old = SHOWN.sub("", today).replace(HINT, "")
    assert "metrics.json" not in old
    assert ".dvc" not in old
    assert wire_hint(wire_numbers(old)) == today
    assert wire_hint(wire_numbers(today)) == today


def test_plots_that_a_person_changed_are_not_declared_twice():
    mine = render_stages(drawn=True).replace("title: Gain over the baseline", "title: Mine")
    assert wire_numbers(mine) == mine


def test_a_persons_own_stage_is_left_alone():
    own = "stages:\n  mine:\n    cmd: python mine.py\n"
    assert wire_hint(wire_numbers(own)) == own


def test_every_stage_of_ours_ends_with_the_hint():
    stages = yaml.safe_load(render_stages(drawn=True, embeds=True, screens=True, second=True))["stages"]
    assert all(stage.get("do", stage)["cmd"].endswith(HINT) for stage in stages.values())


def test_the_lock_gets_the_same_commands_and_keeps_the_rest(tmp_path):
    path = tmp_path / layout.LOCK
    path.write_text(LOCK)
    changed = wire_lock(path)
    text = LOCK.replace("--seeds 0-2", f"--seeds 0-2{HINT}")
    assert yaml.safe_load(changed) == yaml.safe_load(text)
    assert "'12345678901234567890123456e45678'" in changed  # no number, whichever YAML reads it
    path.write_text(changed)
    assert wire_lock(path) is None


def test_what_compare_shows_is_in_the_graph(tmp_path):
    (tmp_path / layout.STAGES).write_text(
        render_stages(drawn=False).replace("      - finalists.json\n", "      - metrics.json\n")
    )
    (tmp_path / layout.PARAMS).write_text("data: {source: a, root: b}\n")
    assert stages_of(tmp_path, {"batches": {}, "arms": {}, "blocks": {}})["confirm"] >= {"compare"}


def explained(folder, path):
    command = ["/bin/sh", "-c", f"false{HINT}"]
    done = subprocess.run(
        command, cwd=folder, env={"PATH": path}, capture_output=True, text=True, check=False, timeout=60
    )
    return done.returncode, done.stdout + done.stderr


def test_a_stage_that_another_python_starts_says_what_to_do(tmp_path):
    write_extras(tmp_path)
    (tmp_path / "bin").mkdir()
    for name in ("cat", "sh"):
        (tmp_path / "bin" / name).symlink_to(f"/bin/{name}")
    code, said = explained(tmp_path, str(tmp_path / "bin"))
    assert code == 1
    place = sys.prefix if os.path.isfile(f"{sys.prefix}/bin/activate") else "FOLDER_OF_THE_ENVIRONMENT"
    assert said.splitlines()[-1] == f"metricloop: activate it, then repeat the command:  . {place}/bin/activate"


def test_a_stage_of_our_python_that_fails_is_not_explained_twice(tmp_path):
    write_extras(tmp_path)
    assert explained(tmp_path, f"{os.path.dirname(sys.executable)}:/bin:/usr/bin") == (1, "")


def test_a_plot_that_a_person_changed_stays(tmp_path):
    write_extras(tmp_path)
    mine = tmp_path / layout.PLOT_TEMPLATES / "gains.json"
    assert mine.read_text() == (TEMPLATES / "plots/gains.json").read_text()
    mine.write_text("{}")
    write_extras(tmp_path)
    assert mine.read_text() == "{}"
