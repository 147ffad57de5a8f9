"""The tiny study with screening, from the command line: one metric stops after its short trials, the other goes on."""

import json
import subprocess

import pytest
from tiny_study import ARMS, make_tiny, metricloop

from metricloop.data.tables import read_json, read_yaml
from metricloop.study.edit_params import change_params

pytestmark = pytest.mark.slow

FEW = """  few:
    role: treatment
    metric: object_count
    a: scores/labels/object_count.parquet
    b: scores/labels/object_count.parquet
    policy: {name: best, direction: lower}
screens:
  random: {arm: random, seeds: "36-39"}
  object_count: {arm: object_count, seeds: "38-39"}
  few: {arm: few, seeds: "38-39"}
"""
BLOCK = '  object_count.0: {arm: object_count, seeds: "0-1"}\n'


def test_a_metric_below_random_stops_and_the_other_is_trained_in_full(tmp_path):
    """`few` chooses images without boxes, so its detector finds nothing; `object_count` those with many."""
    folder = make_tiny(tmp_path / "tiny")
    change_params(folder / "params.yaml", ["train.iterations=50", "screen.seeds=2", "confirm.when=never"])
    (folder / "arms.yaml").write_text(ARMS.replace("blocks:", f"{FEW}blocks:").replace(BLOCK, ""))
    before = " ".join(metricloop("run", "-C", str(folder), "--dry-run").stdout.split())
    assert "trials 2 in 1 blocks, 8 short ones, 4 more for about 2 arms with short trials" in before
    assert "screen x3" in before
    done = metricloop("run", "-C", str(folder))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "after short trials go on: object_count" in done.stdout
    assert "after short trials stop: few" in done.stdout

    short = {name: read_json(folder / f"screening/{name}.json") for name in ("random", "object_count", "few")}
    assert {found["iterations"] for found in short.values()} == {20}
    assert list(short["random"]["seeds"]) == ["36", "37", "38", "39"]
    assert read_yaml(folder / "rounds.yaml")["blocks"] == {"object_count.0": {"arm": "object_count", "seeds": "0-1"}}
    assert sorted(path.name for path in (folder / "models").iterdir() if path.is_dir()) == [
        "object_count.0",
        "random.0",
    ]
    comparison = read_json(folder / "comparison.json")
    assert [arm["name"] for arm in comparison["arms"]] == ["random", "object_count"]
    (stopped,) = comparison["screened"]
    assert stopped["name"] == "few"
    assert stopped["mAP"] < stopped["baseline"]
    recipe = read_json(folder / "results/object_count.0/recipe.json")["fields"]
    assert recipe["iterations"] == 50
    assert "Stopped after short trials" in done.stdout
    assert "Stopped after short trials" in (folder / "report.html").read_text()
    tracked = subprocess.run(["git", "ls-files", "screening"], cwd=folder, capture_output=True, text=True, check=True)
    assert len(tracked.stdout.split()) == 3

    status = json.loads(metricloop("status", "-C", str(folder), "--json").stdout)
    assert status["to_do"] == []
    assert "screen@few" in status["stages"]
    assert "nothing to do" in metricloop("run", "-C", str(folder)).stdout
