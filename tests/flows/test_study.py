"""The tiny study from the command line: what it prints, which stages run again after a change, and reproducibility."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import yaml
from tiny_study import dvc, metricloop

from metricloop.cli.main import main
from metricloop.layout import rates_file
from metricloop.study.environment import environment
from metricloop.study.plan import add_block

OUTPUTS = ("scores", "subsets", "models", "results")


def stamps(folder: Path) -> dict[str, int]:
    """When every output was last written."""
    files = [path for name in OUTPUTS for path in (folder / name).rglob("*") if path.is_file() and path.suffix]
    return {path.relative_to(folder).as_posix(): path.stat().st_mtime_ns for path in files}


def rewritten(folder: Path, before: dict[str, int]) -> set[str]:
    """`stage/item` of every output written since `before`."""
    after = stamps(folder)
    return {"/".join(Path(name).parts[:2]) for name, when in after.items() if before.get(name) != when}


def test_the_study_ends_with_a_table_and_says_where_things_are(finished):
    said = (finished / "terminal.txt").read_text()
    assert "object_count" in said
    assert "report.html" in said
    assert f"mlflow ui --backend-store-uri sqlite:///{finished}/mlflow.db" in said
    comparison = json.loads((finished / "comparison.json").read_text())
    assert {arm["name"]: arm["seeds"] for arm in comparison["arms"]} == {"random": [0, 1], "object_count": [0, 1]}
    assert (finished / "report.html").stat().st_size > 10_000


def test_afterwards_dvc_has_nothing_to_do_and_git_is_clean(finished):
    assert "up to date" in dvc(finished, "status")
    before = stamps(finished)
    assert "up to date" in dvc(finished, "repro")
    assert stamps(finished) == before
    left = subprocess.run(["git", "status", "--short"], cwd=finished, capture_output=True, text=True, check=True).stdout
    assert left.split() == ["??", "terminal.txt"]


def test_subsets_are_manifests_of_kilobytes(finished):
    for path in (finished / "subsets").glob("*.parquet"):
        assert path.stat().st_size < 20_000
        draw = pq.read_table(path).to_pylist()
        assert len({row["image_id"] for row in draw if row["draw"] == 0}) == 4  # a quarter of 18


def test_adding_seeds_trains_those_seeds_only(tiny):
    before = stamps(tiny)
    first = {f"{kind}/{arm}.0" for kind in ("models", "results") for arm in ("random", "object_count")}
    assert metricloop("run", "-C", str(tiny), "--set", "looks.arms=[4]").returncode == 0
    again = rewritten(tiny, before)
    assert {"models/object_count.1", "results/object_count.1"} <= again
    assert not again & (first | {"subsets/random.parquet", "subsets/object_count.parquet"})
    before = stamps(tiny)
    add_block(tiny, "random", "2-3")
    assert metricloop("run", "-C", str(tiny)).returncode == 0
    again = rewritten(tiny, before)
    assert {"models/random.1", "results/random.1"} <= again
    assert not again & (first | {"models/object_count.1", "results/object_count.1"})


def test_editing_a_policy_selects_and_trains_its_arm_only(tiny):
    plan = yaml.safe_load((tiny / "arms.yaml").read_text())
    plan["arms"]["object_count"]["policy"]["direction"] = "lower"
    (tiny / "arms.yaml").write_text(yaml.safe_dump(plan, sort_keys=False))
    before = stamps(tiny)
    dvc(tiny, "repro")
    assert rewritten(tiny, before) == {
        "subsets/object_count.parquet", "models/object_count.0", "results/object_count.0"
    }  # fmt: skip


def test_every_stage_writes_the_same_bytes_when_it_runs_again(tiny):
    before = (tiny / "dvc.lock").read_bytes()
    dvc(tiny, "repro", "--force")
    assert (tiny / "dvc.lock").read_bytes() == before


def test_without_the_scratch_store_the_outputs_are_the_same(tiny):
    before = {name: (tiny / name).read_bytes() for name in stamps(tiny)}
    shutil.rmtree(tiny / ".metricloop")
    dvc(tiny, "repro", "--force", "--single-item", "score@labels", "select@object_count", "train@object_count.0",
        "evaluate@object_count.0")  # fmt: skip
    for name, content in before.items():
        assert (tiny / name).read_bytes() == content, name


def test_a_block_computed_again_in_a_clone_has_the_same_numbers(finished, tmp_path):
    """A clone that pulls the inputs from a remote and trains: nothing but inputs is downloaded."""
    remote, clone = tmp_path / "remote", tmp_path / "elsewhere" / "clone"
    copy = Path(shutil.copytree(finished, tmp_path / "origin", symlinks=True))
    dvc(copy, "remote", "add", "--default", "store", str(remote))
    dvc(copy, "push", "--quiet")
    subprocess.run(["git", "commit", "-qam", "remote"], cwd=copy, check=True)
    subprocess.run(["git", "clone", "-q", str(copy), str(clone)], check=True)
    dvc(
        clone, "pull", "--quiet", "source", "data/images.parquet", "data/boxes/search.parquet", "subsets/random.parquet"
    )
    assert not (clone / "models/random.0").exists()
    dvc(clone, "repro", "--force", "--single-item", "train@random.0", "evaluate@random.0")
    history = pq.read_table(clone / "models/random.0/history.parquet").to_pydict()
    assert history["iteration"] == [1, 2, 3] * 2  # training ran
    rates = [pq.read_table(place / rates_file("random.0")).to_pydict()["images_per_s"] for place in (clone, copy)]
    assert rates[0] != rates[1]  # and these are not the old models
    for name in ("metrics.json", "predictions.parquet", "matches.parquet"):
        assert (clone / "results/random.0" / name).read_bytes() == (copy / "results/random.0" / name).read_bytes()


def test_reproduce_says_that_every_number_is_equal_and_names_those_that_are_not(tiny):
    done = metricloop("reproduce", "random.0", "-C", str(tiny))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "every number equals" in done.stdout
    path = tiny / "results/random.0/metrics.json"
    content = json.loads(path.read_text())
    content["seeds"]["0"]["mAP"] = 0.987
    path.chmod(0o644)
    path.write_text(json.dumps(content))
    done = metricloop("reproduce", "random.0", "-C", str(tiny))
    assert done.returncode == 1
    assert "0.mAP: recorded 0.987" in done.stdout


def test_a_hostile_metrics_package_in_the_workspace_is_not_imported(tiny):
    (tiny / "metrics" / "__init__.py").write_text("open('owned.txt', 'w').write('x')\nraise SystemExit('hostile')\n")
    (tiny / "tasks.py").write_text("open('owned.txt', 'w').write('x')\n")
    dvc(tiny, "repro", "--force", "--single-item", "score@labels")
    assert not (tiny / "owned.txt").exists()


def test_the_test_splits_numbers_are_in_confirmation_json_and_nowhere_else(finished):
    confirmation = json.loads((finished / "confirmation.json").read_text())
    numbers = {value for arm in confirmation["arms"].values() for value in arm["mAR"] + arm["mAP"] if value}
    assert numbers
    telling = {f"{value}" for value in numbers if len(f"{value}") > 6}  # 0.1 may be any number's
    images = pq.read_table(finished / "data/images.parquet").to_pylist()
    test_images = {row["image_id"] for row in images if row["split"] == "test"}
    for path in finished.rglob("*"):
        if not path.is_file() or path.name == "confirmation.json" or {".git", ".dvc"} & set(path.parts):
            continue
        if path.suffix in {".json", ".html", ".jsonl", ".txt", ".yaml"}:
            text = path.read_text()
            assert not [number for number in telling if number in text], path
        if path.suffix == ".parquet" and "results" in path.parts:
            assert not test_images & set(pq.read_table(path)["image_id"].to_pylist()), path
    assert len((finished / "opened.jsonl").read_text().splitlines()) == 1


def test_a_second_run_does_nothing(tiny):
    before = stamps(tiny)
    done = metricloop("run", "-C", str(tiny))
    assert done.returncode == 0, done.stderr
    assert stamps(tiny) == before
    assert "train and evaluate" not in done.stdout
    assert len((tiny / "opened.jsonl").read_text().splitlines()) == 1


def test_status_and_dry_run_show_the_work_without_running_it(tiny):
    assert "nothing to do" in metricloop("status", "-C", str(tiny)).stdout
    said = metricloop("run", "-C", str(tiny), "--set", "train.iterations=4", "--dry-run").stdout
    assert "would change params.yaml: train.iterations: 3 -> 4" in said
    assert "4 in 2 blocks" in said
    assert re.search(r"time +.*\b\d+ (s|min)\b", said)
    assert "nothing to do" in metricloop("status", "-C", str(tiny)).stdout


def test_the_error_without_a_workspace_asks_for_its_folder(tmp_path):
    done = metricloop("run", "-C", str(tmp_path))
    assert done.returncode == 1
    assert "metricloop init" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_stage_needs_no_orchestrator(tiny):
    """train runs where prefect, mlflow, dvc and albumentations cannot be imported."""
    blocker = tiny / "blocked"
    blocker.mkdir()
    for name in ("prefect", "mlflow", "dvc", "albumentations", "faster_coco_eval", "joblib", "rich", "jinja2"):
        (blocker / f"{name}.py").write_text(f"raise ImportError('{name} is not here')\n")
    done = subprocess.run(
        [sys.executable, "-P", "-m", "metricloop.tasks.train", "random.0"], cwd=tiny, capture_output=True, text=True,
        check=False, timeout=200,
        env=environment() | {"PYTHONPATH": str(blocker)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_a_finished_study_asks_no_dvc_and_starts_no_server(tiny, monkeypatch, capsys):
    commands, popen = [], subprocess.Popen

    def watched(command, **options):
        commands.append([str(word) for word in command])
        return popen(command, **options)

    monkeypatch.setattr(subprocess, "Popen", watched)
    assert main(["run", "-C", str(tiny)]) == 0
    assert "nothing to do" in capsys.readouterr().out
    assert not [command for command in commands if "dvc" in command]
    assert not [command for command in commands if "prefect.server" in " ".join(command)]


def test_a_missing_report_is_written_again(tiny):
    (tiny / "report.html").unlink()
    done = metricloop("run", "-C", str(tiny))
    assert done.returncode == 0, done.stderr
    assert (tiny / "report.html").is_file()
