"""What init shows of a data set, what it asks, and what it leaves behind when the answer is not given."""

import subprocess
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml
from coco_set import coco, make_set, noise, write
from tiny_study import dvc

from metricloop.cli.data_place import place_of, truth_of
from metricloop.cli.data_questions import OpenQuestionError, look
from metricloop.cli.main import main
from metricloop.data.formats import read
from metricloop.data.loading import load
from metricloop.study.commits import WorkspaceError
from metricloop.study.new_study import NewStudy, copied
from metricloop.study.plan import load_plan

NAMES = [f"{number}.jpg" for number in range(8)]


def study_of(data, labels=None, images=None, **more) -> NewStudy:
    return NewStudy(name="s", **place_of(str(data), labels, images)._asdict(), **more)


@pytest.fixture
def terminal(monkeypatch):
    """A terminal at which somebody gives these answers, one after the other."""

    def sits(*answers: str) -> None:
        left = iter(answers)
        monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
        monkeypatch.setattr("builtins.input", lambda question: next(left))

    return sits


@pytest.fixture
def two(tmp_path):
    """A data set with labels.json and rough.json, whose boxes are twice as wide."""
    made = make_set(tmp_path / "two labellings é")
    write(made / "rough.json", coco(NAMES, width=20))
    return made


def test_init_shows_what_is_there_and_the_next_run_has_nothing_to_read(two, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.chdir(tmp_path)
    more = ["--labels", "rough.json", "--truth", "labels.json", "--set", "data.search_share=0.2", "data.test_share=0.2"]
    assert main(["init", "my study", "--data", two.name, *more]) == 0
    out = capsys.readouterr().out
    lines = out.splitlines()
    assert lines[:6] == [
        f"reading {two.name} ...",
        "  labels     rough.json (coco)",
        "  pictures   8 in images/; the long side has 40 px",
        "  boxes      8, 1.0 a picture; every picture has some",
        "  classes    lion 8",
        "  splits     pool 4, search 2, test 2 pictures, drawn by metricloop",
    ]
    assert "truth      of 4 of the pool's 4 images; 0 labels agree, 4 moved" in out
    assert "problems   none" in out
    assert "warning: these look like photos" in out
    assert "--set train.weights=$PWD/shufflenetv2_x0.5-f707e7126e.pth" in out
    assert len(lines) <= 24
    folder = tmp_path / "my study"
    assert cv2.imread(str(folder / "example.jpg")).shape[1] > 300
    data = yaml.safe_load((folder / "params.yaml").read_text())["data"]
    assert (data["source"], data["second_labels"]) == (str(two / "rough.json"), str(two / "labels.json"))
    plan = load_plan(folder)
    truth = "data/second_labels.parquet"
    for control in ("relabelled", "oracle"):
        assert plan["arms"][control] == {"role": "control", "a": truth, "b": truth, "policy": {"name": control}}
    assert {"relabelled.0", "oracle.0"} <= plan["blocks"].keys()
    assert "up to date" in dvc(folder, "status", "ingest", "second_labels")
    kept = subprocess.run(["git", "status", "--short"], cwd=folder, capture_output=True, text=True, check=True).stdout
    assert kept == ""


def test_two_labellings_of_the_same_pictures_are_not_joined_in_silence(two, tmp_path, capsys):
    assert main(["init", str(tmp_path / "ws"), "--data", str(two)]) == 1
    told = capsys.readouterr().err.splitlines()
    assert told == [
        "metricloop init: 2 labellings of the same pictures: 8 pictures are in two of them, 8 with other boxes:",
        "  labels.json  8 pictures, 8 boxes",
        "  rough.json   8 pictures, 8 boxes",
        "Add one of these:",
        "  --labels labels.json                     these labels, the others are not read",
        "  --labels rough.json --truth labels.json  measure with the others, if they are cleaner",
        "  --yes                                    join them: every box of all, equal ones once",
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == [two.name]


def test_yes_joins_them(two):
    assert sum(len(record.boxes) for record in look(study_of(two), yes=True).source.records) == 16


def test_at_a_terminal_one_is_chosen_and_the_other_becomes_the_truth(two, terminal, capsys):
    terminal("9", "2", "2")
    looked = look(study_of(two), yes=False)
    assert (looked.study.source, looked.study.truth) == (str(two / "rough.json"), str(two / "labels.json"))
    assert "  2  rough.json   8 pictures, 8 boxes\n  3  all of them, joined" in capsys.readouterr().out
    terminal("3")
    assert look(study_of(two), yes=False).study == study_of(two)


def test_the_truth_is_not_read_as_labels(two):
    looked = look(study_of(two, truth=truth_of("labels.json", str(two))), yes=False)
    assert looked.study.source == str(two / "rough.json")
    write(two / "third.json", coco(NAMES[:2]))
    with pytest.raises(WorkspaceError, match=r"2 other label files lie beside it; .*--labels FILE_OR_FOLDER"):
        look(study_of(two, truth=str(two / "labels.json")), yes=True)


def test_a_file_of_the_same_name_in_the_current_folder_is_not_the_truth_of_the_data_set(two, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "labels.json", coco(NAMES[:1]))
    named = str(two / "labels.json")
    assert truth_of("labels.json", str(two)) == place_of(str(two), "labels.json", None).source == named
    (two / "labels.json").unlink()
    assert truth_of("labels.json", str(two)) == str(tmp_path / "labels.json")


def test_pictures_that_lie_elsewhere(tmp_path, capsys, terminal):
    made = make_set(tmp_path / "set/labels", pictures=tmp_path / "elsewhere")
    with pytest.raises(OpenQuestionError, match=r"none of the 8 labelled pictures is found below (.|\n)*--images DIR"):
        look(study_of(made), yes=True)
    noise(tmp_path / "set/0.jpg", 0)
    with pytest.raises(OpenQuestionError, match=r"7 of 8 labelled (.|\n)*--images DIR(.|\n)*--yes"):
        look(study_of(made), yes=False)
    assert len(look(study_of(made), yes=True).source.records) == 1
    found = look(study_of(made, images=str(tmp_path / "elsewhere")), yes=False).source
    assert {record.file.parent for record in found.records} == {tmp_path / "elsewhere"}  # not the copy of 0.jpg
    assert found.problems == ()
    terminal(str(tmp_path / "elsewhere"))
    assert look(study_of(made), yes=False).study.root == str(tmp_path / "elsewhere")
    terminal("")
    assert len(look(study_of(made), yes=False).source.records) == 1


def test_an_input_that_ends_without_an_answer_is_told_in_a_sentence(tmp_path, capsys, monkeypatch, terminal):
    def closed(question):
        raise EOFError

    made = make_set(tmp_path / "set/labels", pictures=tmp_path / "elsewhere")
    noise(tmp_path / "set/0.jpg", 0)
    terminal()
    monkeypatch.setattr("builtins.input", closed)  # Ctrl-D
    assert main(["init", str(tmp_path / "new"), "--data", str(made)]) == 1
    assert capsys.readouterr().err == "metricloop init: no answer was given, so nothing is done\n"
    assert not (tmp_path / "new").exists()


def test_what_lies_apart_is_copied_together(tmp_path):
    pictures, truth = tmp_path / "elsewhere", write(tmp_path / "truth.json", coco(NAMES))
    made = make_set(tmp_path / "set/labels", pictures=pictures)
    study, copies = copied(study_of(made, images=str(pictures), truth=str(truth), copy=True))
    assert copies == {
        str(pictures): "source/images", str(made): "source/labels/labels",
        str(truth): "source/second_labels/truth.json",
    }  # fmt: skip
    assert (study.source, study.root, study.truth) == (
        "source/labels/labels", "source", "source/second_labels/truth.json"
    )  # fmt: skip
    for place, target in copies.items():
        (tmp_path / "ws" / target).parent.mkdir(parents=True, exist_ok=True)
        Path(place).rename(tmp_path / "ws" / target)
    found = read(tmp_path / "ws" / study.source, root=tmp_path / "ws" / study.root)
    assert {record.file.parent for record in found.records} == {tmp_path / "ws/source/images"}


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["--categories", "Lyon"], "data.categories names Lyon; the source has lion; did you mean 'lion'?"),
        (["--labels", "no.json"], "--labels: {set}/no.json does not exist"),
        (["--truth", "no.json"], "--truth: "),
        (["--images", "no"], "--images: {here}/no is no folder; give the folder that holds the pictures"),
        (["--set", "train.iteration=5"], "--set train.iteration: unknown key; did you mean 'train.iterations'?"),
        (["--detector", "fcos_shufle"], "(did you mean 'fcos_shufflenet'?), found 'fcos_shufle'"),
        (["--weights", "default"], "train.weights: default does not exist for fcos_shufflenet"),
    ],
)
def test_what_cannot_be_is_told_and_no_folder_is_left(tmp_path, monkeypatch, capsys, more, told):
    monkeypatch.chdir(tmp_path)
    made = make_set(tmp_path / "set", count=3)
    assert main(["init", "ws", "--data", "set", *more]) == 1
    assert told.format(set=made, here=tmp_path) in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["set"]


def test_the_problems_of_a_set_that_cannot_be_used_are_kept(tmp_path, capsys):
    made = make_set(tmp_path / "set", count=3)
    for name in NAMES[:3]:
        (made / "images" / name).write_bytes(b"no picture")
    assert main(["init", str(tmp_path / "ws"), "--data", str(made)]) == 1
    listed = tmp_path / "ws-problems.csv"
    assert f"All 3 problems are listed in {listed}. No workspace was made" in capsys.readouterr().err
    assert listed.read_text().count("\n") == 4
    assert not (tmp_path / "ws").exists()


def test_data_that_says_where_its_pictures_lie_takes_no_images(tmp_path):
    (tmp_path / "set/images").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "set/data.yaml").write_text("train: images\nval: images\nnames: [cat]\n")
    with pytest.raises(WorkspaceError, match="--images: yolo data says itself where its pictures lie"):
        place_of(str(tmp_path / "set"), None, str(tmp_path / "elsewhere"))


def test_frames_of_a_film_are_told_with_the_option_that_keeps_them_together(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    names = [f"clip{12 * number:04d}.jpg" for number in range(60)]
    wide = cv2.resize(np.random.default_rng(0).integers(0, 256, (3, 20, 3), np.uint8), (240, 30))
    (tmp_path / "set/images").mkdir(parents=True)
    for number, name in enumerate(names):
        cv2.imwrite(str(tmp_path / "set/images" / name), wide[:, 3 * number : 3 * number + 40])
    write(tmp_path / "set/labels.json", coco(names))

    def beside(folder):
        made = load(folder / "data", tmp_path / "set")
        pool = np.pad(made.split == "pool", 1)
        return int(((made.split != "pool") & (pool[:-2] | pool[2:])).sum())

    assert main(["init", str(tmp_path / "ws"), "--data", str(tmp_path / "set")]) == 0
    out = capsys.readouterr().out
    told = " ".join(out.split())
    assert "60 files such as clipNNNN.jpg look like frames of a film" in told
    assert f"{beside(tmp_path / 'ws')} of 18 search and test pictures have the frame before or after" in told
    assert "belong to one recording" not in told
    option = "data.group=clip([0-9][0-9])"  # 0 to 708: 8 runs of 100 numbers
    assert f"  --set '{option}'\n" in out
    assert main(["init", str(tmp_path / "runs"), "--data", str(tmp_path / "set"), "--set", option]) == 0
    assert beside(tmp_path / "runs") < beside(tmp_path / "ws") / 2
    assert "frames of a film" not in capsys.readouterr().out
