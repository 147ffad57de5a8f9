"""The folder of a take-home: made from a worked assignment or from one's own, with the truth kept apart."""

from __future__ import annotations

import csv
import shutil

import pytest
import yaml

from metricloop.takehome.assignment import AssignmentError, read_assignment
from metricloop.takehome.prepare import prepare, recorded, worked_assignments
from metricloop.takehome.settings import SettingsError, load_settings


@pytest.fixture
def mine(tiny, tmp_path):
    """An assignment of one's own: its file, its data, its truth."""
    return tiny / "ASSIGNMENT.md", tiny / "data", tiny / "truth", tmp_path / "new"


def column(path, name):
    with path.open(newline="") as stream:
        return [row[name] for row in csv.DictReader(stream)]


def test_the_worked_assignments():
    assert worked_assignments() == ("defects", "headlines")


def test_a_worked_assignment_is_written_once(tmp_path):
    folder = tmp_path / "takehome-headlines"
    first = prepare(folder, "headlines", None, None, {})
    (folder / "journal.jsonl").write_text("")
    assert prepare(folder, "", None, None, {}) == first == read_assignment(folder)
    assert first.front.name == "headlines"
    assert first.unseen_texts
    assert load_settings(folder).llm.provider == recorded("headlines").get("llm", {}).get("provider", "none")


def test_one_of_your_own_with_its_truth(mine):
    file, data, truth, folder = mine
    made = prepare(folder, str(file), data, truth, {"llm": {"model": "mine"}})
    assert (len(made.train), len(made.held_out), len(made.unseen)) == (60, 30, 16)
    assert load_settings(folder).llm.model == "mine"
    assert not (folder / "data" / "truth").exists()


def test_without_truth_a_fifth_of_the_labels_is_kept_from_the_model(mine):
    file, data, _, folder = mine
    made = prepare(folder, str(file), data, None, {})
    assert (len(made.train), len(made.held_out), made.unseen) == (48, 12, ())
    assert not set(made.train) & set(made.held_out)
    assert sorted(made.train + list(made.held_out)) == sorted(read_assignment(data.parent).train)
    again = prepare(folder.with_name("again"), str(file), data, None, {})
    assert again.held_out == made.held_out


def test_held_out_pictures_leave_the_data(tmp_path):
    source = prepare(tmp_path / "worked", "defects", None, None, {})
    folder = tmp_path / "mine"
    made = prepare(folder, str(source.folder / "ASSIGNMENT.md"), source.data, None, {})
    held = {file for file, _ in made.held_out}
    assert len(held) == 120
    assert {path.name for path in (folder / "truth" / "held_out").iterdir()} == held
    assert not held & {path.name for path in (folder / "data" / "train").iterdir()}


def test_settings_are_changed_and_others_kept(mine):
    file, data, truth, folder = mine
    prepare(folder, str(file), data, truth, {"llm": {"model": "mine", "repairs": 1}})
    prepare(folder, "", None, None, {"llm": {"repairs": 2}, "takehome": {"rounds": 1}})
    settings = load_settings(folder)
    assert (settings.llm.model, settings.llm.repairs, settings.takehome.rounds) == ("mine", 2, 1)
    assert yaml.safe_load((folder / "params.yaml").read_text())["takehome"] == {"rounds": 1}


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("---\nname", "name", "no front matter"),
        ("name: tiny\n", "", "name: Field required"),
        ("kind: text", "kind: sound", "kind"),
        ("labels: [good, bad]", "labels: [good]", "labels"),
        ("labels: [good, bad]", "labels: [good, good]", "a label is there twice"),
        ("labels: [good, bad]", "labels: [good, evil]", "label 'bad' is not one of good, evil"),
        ("train.csv", "../train.csv", "train"),
        ("train.csv", "table.csv", "does not exist"),
        ("unseen: pages", "unseen: page", "holds no file"),
        ("minutes: 1", "minutes: 0", "minutes"),
        ("minutes: 1", "minuten: 1", "minuten"),
        ("minutes: 1", "minutes: [", "not YAML"),
    ],
)
def test_an_assignment_that_cannot_be_used(tiny, old, new, said):
    file = tiny / "ASSIGNMENT.md"
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new, 1))
    with pytest.raises(AssignmentError, match=said):
        read_assignment(tiny)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a,b\n1,2\n", "no text or no label"),
        ("text,label\n", "no rows"),
        ("text,label\nx,worse\n", "line 2: label 'worse'"),
    ],
)
def test_data_that_cannot_be_used(tiny, text, said):
    (tiny / "data" / "train.csv").write_text(text)
    with pytest.raises(AssignmentError, match=said):
        read_assignment(tiny)


def test_what_is_missing_is_said(mine, tmp_path):
    file, data, truth, folder = mine
    (tmp_path / "empty").mkdir()
    for arguments, said in [
        (("", None, None), "name an assignment: defects, headlines"),
        (("pandas", None, None), "neither a file nor a worked assignment"),
        ((str(file), None, None), "--data is missing"),
        ((str(file), data / "train.csv", None), "is not a folder"),
        ((str(file), data, tmp_path / "empty"), "neither held_out.csv nor unseen.csv"),
        (("headlines", data, None), "comes with its data"),
    ]:
        shutil.rmtree(folder, ignore_errors=True)
        with pytest.raises(AssignmentError, match=said):
            prepare(folder, *arguments, {})
    shutil.rmtree(folder, ignore_errors=True)
    prepare(folder, str(file), data, truth, {})
    with pytest.raises(AssignmentError, match="has its data already"):
        prepare(folder, str(file), data, truth, {})
    with pytest.raises(SettingsError, match=r"llm\.repairs"):
        prepare(folder, "", None, None, {"llm": {"repairs": -1}})
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("mine")
    with pytest.raises(AssignmentError, match="is not empty"):
        prepare(tmp_path / "full", "headlines", None, None, {})


def test_links_in_the_data_are_refused(mine):
    file, data, truth, folder = mine
    (data / "secret.csv").symlink_to("/etc/passwd")
    with pytest.raises(AssignmentError, match="is a link"):
        prepare(folder, str(file), data, truth, {})


def test_folders_that_lie_in_one_another_are_refused(mine):
    file, data, truth, folder = mine
    shutil.copytree(truth, data / "truth")
    for inner, outer, place in [(data / "truth", data, folder), (data, data, folder), (truth, data, data / "new")]:
        with pytest.raises(AssignmentError, match=r"--\w+ .* lies in -.*none lies in another|-C .* lies in --data"):
            prepare(place, str(file), outer, inner, {})
        assert not place.exists()


def test_all_rows_of_an_item_are_held_out_together(mine):
    file, data, _, folder = mine
    table = data / "train.csv"
    head, *lines = table.read_text().splitlines()
    table.write_text("\n".join([head, *lines, *(line.upper().rpartition(",")[0] + "," + line.rpartition(",")[2]
                                                for line in lines)]) + "\n")  # fmt: skip
    made = prepare(folder, str(file), data, None, {})
    kept, held = ({text.casefold() for text, _ in rows} for rows in (made.train, made.held_out))
    assert (len(kept), len(held), len(made.held_out), kept & held) == (48, 12, 24, set())


def test_a_picture_that_is_listed_twice_is_moved_once(tmp_path, monkeypatch):
    source = prepare(tmp_path / "worked", "defects", None, None, {})
    table = source.data / "train.csv"
    head, *lines = table.read_text().splitlines()
    table.write_text("\n".join([head, *lines, *(f"./{line}" for line in lines)]) + "\n")
    arguments = (tmp_path / "mine", str(source.folder / "ASSIGNMENT.md"), source.data, None, {})
    moved, move = [], shutil.move

    def killed(*places):
        if len(moved) == 5:
            raise KeyboardInterrupt
        moved.append(move(*places))

    with monkeypatch.context() as patch:
        patch.setattr("shutil.move", killed)
        with pytest.raises(KeyboardInterrupt):
            prepare(*arguments)
    made = prepare(*arguments)
    held = {file.removeprefix("./") for file, _ in made.held_out}
    assert len(made.held_out) == 2 * len(held) == 240
    assert {path.name for path in (tmp_path / "mine" / "truth" / "held_out").iterdir()} == held
    assert not held & {path.name for path in (tmp_path / "mine" / "data" / "train").iterdir()}


def test_a_folder_with_another_assignment_is_refused(mine):
    file, data, truth, folder = mine
    prepare(folder, str(file), data, truth, {})
    prepare(folder, str(file), None, None, {})
    with pytest.raises(AssignmentError, match=r"holds tiny, not headlines.*leave the assignment out"):
        prepare(folder, "headlines", None, None, {})
    file.write_text(file.read_text() + "And more.\n")
    with pytest.raises(AssignmentError, match=r"differs from .*ASSIGNMENT.md \(tiny\)"):
        prepare(folder, str(file), None, None, {})
