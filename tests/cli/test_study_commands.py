"""init, run, status, compare and export as typed."""

import json
import shlex
import subprocess
from contextlib import nullcontext

import pytest
from study_fixture import make_study
from tiny_study import dvc, make_tiny

from metricloop.cli.main import main
from metricloop.data.tables import read_json, read_yaml
from metricloop.study.run_record import claimed


def test_init_writes_a_brief_and_commits_it(tmp_path):
    folder = make_tiny(tmp_path / "tiny")
    assert "Giant pandas" in (folder / "brief.md").read_text()
    listed = subprocess.run(["git", "ls-files", "brief.md"], cwd=folder, capture_output=True, text=True, check=True)
    assert listed.stdout == "brief.md\n"


def test_a_folder_with_blanks_is_quoted_and_its_status_is_told(tmp_path, capsys):
    folder = tmp_path / "my study"
    assert main(["init", str(folder), "--demo"]) == 0
    assert capsys.readouterr().out == (
        f"the pictures of {folder} are drawn when it runs\n"
        f"workspace {folder} is ready: params.yaml and arms.yaml say what the study will do\n"
        f"  look first:  metricloop run -C '{folder}' --dry-run\n  run:         metricloop run -C '{folder}'\n"
    )
    assert read_yaml(folder / "params.yaml")["study"]["name"] == "my-study"
    assert main(["status", "-C", str(folder), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert sorted(told["stages"]) == sorted(dvc(folder, "stage", "list", "--name-only").split())
    assert told["to_do"] == told["stages"]
    assert main(["status", "-C", str(folder)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("to do       draw, ingest, predict, score (labels, pixels), select (random")
    assert lines[-3:] == [
        "            never ran",
        f"0 of {len(told['stages'])} stages up to date, {len(told['stages'])} to do",
        "no report.html yet: it is written when a run ends; after the first comparison: "
        f"metricloop compare -C '{folder}'",
    ]
    assert main(["init", str(folder), "--demo"]) == 1
    assert f"there: metricloop run -C '{folder}'\n" in capsys.readouterr().err


def test_init_passes_on_what_is_typed(tmp_path, capsys, monkeypatch):
    made = []
    monkeypatch.setattr("metricloop.cli.init._create", lambda *given: made.append(given) or "")
    (tmp_path / "lions/second").mkdir(parents=True)
    (tmp_path / "w.pt").write_bytes(b"")
    monkeypatch.chdir(tmp_path)
    typed = (
        "init new --data lions --format voc --categories lion cub --budget 0.5 --image-size 96 --iterations 9 "
        "--seeds 5 --corrupt sloppy --strength 0.25 --import --full "
        "--detector fcos_resnet50_fpn --weights w.pt --truth second --set study.seed=3 --yes"
    )
    assert main(shlex.split(typed)) == 0
    [(folder, study, yes, auto)] = made
    assert (study.truth, study.changes, yes, auto) == (str(tmp_path / "lions/second"), ("study.seed=3",), True, False)
    assert str(folder) == "new"
    assert (study.name, study.source, study.root) == ("new", str(tmp_path / "lions"), str(tmp_path / "lions"))
    assert (study.format, study.categories, study.budget) == ("voc", ("lion", "cub"), 0.5)
    assert (study.image_size, study.iterations, study.learning_rate) == (96, 9, 0.0001)
    assert (study.looks.arms, study.looks.baseline) == ((5, 10), (20, 30))
    assert (study.corrupt, study.strength, study.copy, study.full) == ("sloppy", 0.25, True, True)
    assert (study.detector, study.weights) == ("fcos_resnet50_fpn", str(tmp_path / "w.pt"))


def test_options_that_say_nothing_to_the_demo_are_refused(tmp_path, capsys):
    for given in (["--budget", "0.5"], ["--data", "x"], ["--format", "auto"], ["--import"]):
        assert main(["init", str(tmp_path / "new"), "--demo", *given]) == 2
        assert f"'{given[0]}': it says nothing with --demo" in " ".join(capsys.readouterr().err.split())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("init new", "say where the data set is: --data SOURCE (or --demo for drawn pandas)"),
        ("init new --data . --format coco --weights no.pt", "--weights: no.pt does not exist; give drawn, none"),
    ],
)
def test_init_says_what_is_missing(tmp_path, monkeypatch, capsys, typed, told):
    monkeypatch.chdir(tmp_path)
    assert main(typed.split()) == 1
    assert capsys.readouterr().err.startswith(f"metricloop init: {told}")
    assert list(tmp_path.iterdir()) == []


def test_run_hands_over_to_the_flow_of_the_study_or_of_one_arm(tmp_path, monkeypatch, capsys):
    folder = make_study(tmp_path / "study")
    called = []
    left = iter([False, True])
    monkeypatch.setattr("metricloop.study.check_study.check_ties", lambda *given: None)  # its scores are made up
    monkeypatch.setattr("metricloop.cli.study._old", lambda folder: [] if next(left) else ["compare"])
    monkeypatch.setattr("metricloop.cli.study._nothing_left", lambda folder, params: True)
    monkeypatch.setattr("metricloop.tracking.track.where_to_look", lambda folder: "")
    monkeypatch.setattr("metricloop.flows.interrupt.quick_end", lambda stopped: nullcontext())  # starts no server
    monkeypatch.setattr("metricloop.flows.improve.improve", lambda *given: called.append(given))
    monkeypatch.setattr("metricloop.flows.experiment.experiment", lambda *given: called.append(given))
    assert main(["run", "-C", str(folder), "--set", "train.iterations=7", "looks.arms=[3, 9]"]) == 0
    assert main(["run", "-C", str(folder), "--arm", "tightness"]) == 0
    assert main(["run", "-C", str(folder)]) == 0
    assert called == [(str(folder),), (str(folder), "tightness")]
    params = read_yaml(folder / "params.yaml")
    assert (params["train"]["iterations"], params["looks"]["arms"]) == (7, [3, 9])
    assert "object_count" in capsys.readouterr().out


def test_compare_as_json_is_the_file(tmp_path, capsys):
    folder = make_study(tmp_path / "study")
    assert main(["compare", "-C", str(folder), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == read_json(folder / "comparison.json")
    assert main(["compare", "-C", str(folder), "--json", "--confirmed"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert f"confirmation.json does not exist yet; run the study first: metricloop run -C {folder}" in err
    (folder / "confirmation.json").write_text('{"study": "drawn", "seeds": [], "arms": {}}')
    assert main(["compare", "-C", str(folder), "--json", "--confirmed"]) == 0
    assert json.loads(capsys.readouterr().out) == {"study": "drawn", "seeds": [], "arms": {}}


def test_compare_during_the_first_run_says_that_it_is_going_on(tmp_path, capsys):
    folder = make_study(tmp_path / "study")
    (folder / "comparison.json").unlink()
    with claimed(folder, "run") as run:
        run.plan(["ingest", "compare"])
        assert main(["compare", "-C", str(folder)]) == 1
    err = capsys.readouterr().err
    assert "comparison.json does not exist yet: wait for `metricloop run`, running since " in " ".join(err.split())
    assert "stage 1 of 2" in err


def test_compare_during_a_later_run_advises_nothing_that_is_being_done(tmp_path, capsys):
    folder = make_study(tmp_path / "study")
    assert main(["compare", "-C", str(folder)]) == 0
    before = capsys.readouterr().out
    assert "\nNext\n" in before
    with claimed(folder, "run"):
        assert main(["compare", "-C", str(folder)]) == 0
    out = capsys.readouterr().out
    assert "These are the results so far of `metricloop run`, running since" in " ".join(out.split())
    assert "\nNext\n" not in out


def test_compare_in_a_pipe_is_as_wide_as_columns_says(tmp_path, capsys, monkeypatch):
    folder = make_study(tmp_path / "study")
    widest = {}
    for columns in ("80", "110", ""):
        monkeypatch.setenv("COLUMNS", columns)
        assert main(["compare", "-C", str(folder), "--notes"]) == 0
        lines = capsys.readouterr().out.splitlines()
        widest[columns] = max(len(line.rstrip()) for line in lines if str(folder) not in line)
    assert 70 < widest["80"] <= 80 < widest["110"] <= 110 < widest[""] <= 118


def test_compare_prints_a_table_and_markdown(tmp_path, capsys):
    folder = make_study(tmp_path / "study")
    assert main(["compare", "-C", str(folder)]) == 0
    assert "object_count" in capsys.readouterr().out
    assert main(["compare", "-C", str(folder), "--markdown"]) == 0
    assert "| object_count |" in capsys.readouterr().out


@pytest.mark.parametrize("command", ["compare", "compare --markdown", "compare --confirmed", "report", "track"])
def test_a_workspace_of_another_version_ends_in_one_message(tmp_path, capsys, command):
    folder = make_study(tmp_path / "study")
    (folder / "comparison.json").write_text('{"study": "drawn", "budget": 0.25, "arms": []}')
    (folder / "confirmation.json").write_text('{"study": "drawn", "seeds": [1000, 1001], "arms": {}}')
    assert main([*command.split(), "-C", str(folder)]) == 1
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith(
        f"metricloop {command.split()[0]}: {folder / 'comparison.json'} was written by another version"
    )
    assert f"metricloop run -C {folder}" in err


def test_export_writes_a_split(tmp_path, capsys):
    folder = make_study(tmp_path / "study")
    target = tmp_path / "test.json"
    assert main(["export", "test", str(target), "-C", str(folder)]) == 0
    written = json.loads(target.read_text())
    assert len(written["images"]) == 8
    assert capsys.readouterr().out == f"{target}: 8 images, {len(written['annotations'])} boxes as COCO\n"
    assert main(["export", "test", str(tmp_path / "few.json"), "--most", "3", "-C", str(folder)]) == 1
    assert "--most is for suspicious only" in capsys.readouterr().err
    assert main(["export", "tset", str(tmp_path / "tset.json"), "-C", str(folder)]) == 1
    assert "no arm or split 'tset'; did you mean 'test'?" in capsys.readouterr().err
    (folder / "subsets/tightness.parquet").unlink()
    assert main(["export", "tightness", str(tmp_path / "arm.json"), "-C", str(folder)]) == 1
    told = f"the subset of the arm tightness is not made yet; make it with: metricloop run -C {folder}\n"
    assert capsys.readouterr().err.endswith(told)
