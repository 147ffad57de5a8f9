"""What is out of date is what DVC says, found without it; and the reasons are the edits that were made."""

import os
import shutil
import subprocess
from contextlib import chdir
from pathlib import Path

import pytest
from dvc.repo import Repo
from tiny_study import make_tiny

from metricloop import layout
from metricloop.study.edit_params import change_params
from metricloop.study.plan import add_block, load_plan
from metricloop.study.reasons import CODE, COMMAND, DATA, INPUT, LABELS, NEVER, OUTPUT, PARAMETER
from metricloop.study.refresh import fresh_files, refresh_code
from metricloop.study.stage_list import list_stages
from metricloop.study.staleness import staleness
from metricloop.study.yaml_text import read_as_dvc, read_lock

BLOCKS = ("random.0", "object_count.0")
FOLDERS = {"source", "scores/labels", *(f"{kind}/{block}" for kind in ("models", "results") for block in BLOCKS)}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A workspace whose stages have all run, as far as DVC knows: their outputs are made up."""
    folder = make_tiny(tmp_path_factory.mktemp("finished") / "ws")
    refresh_code(folder)
    content, params = (read_as_dvc((folder / name).read_text()) for name in (layout.STAGES, layout.PARAMS))
    for name, stage in list_stages(content, load_plan(folder), params).items():
        for path in stage.writes:
            files = [f"{path}/{file}" for file in ("b", "a/c", "object_count.parquet")] if path in FOLDERS else [path]
            for number, file in enumerate(files):
                (folder / file).parent.mkdir(parents=True, exist_ok=True)
                (folder / file).write_text(f"{name} {number}")
    with chdir(folder), Repo() as repo:
        repo.commit(force=True)
    old = 1_700_000_000  # long ago, so that sums are remembered at once
    for path in folder.rglob("*"):
        if path.is_file() and ".dvc" not in path.parts and ".git" not in path.parts:
            os.utime(path, (old, old))
    return folder


def parameter(folder: Path) -> None:
    change_params(folder / layout.PARAMS, ["train.iterations=7", "data.corrupt.strength=0.25"])


def a_word_that_is_false_in_older_yaml(folder: Path) -> None:
    path = folder / layout.PARAMS
    path.write_text(path.read_text().replace("group: auto ", "group: off "))


def code(folder: Path) -> None:
    """The digests of dvc.lock are those of other code."""
    text, now = (folder / layout.LOCK).read_text(), read_as_dvc((folder / layout.CODE).read_text())
    for stage in ("select", "detector"):
        text = text.replace(f"{stage}: {now[stage]}", f"{stage}: {'0' * 16}")
    (folder / layout.LOCK).write_text(text)


def catalogue(folder: Path) -> None:
    text = (folder / layout.LOCK).read_text()
    place = text.index(f"path: {layout.CATALOGUE}")
    (folder / layout.LOCK).write_text(text[:place] + text[place:].replace("md5: ", "md5: 0", 1))


def data(folder: Path) -> None:
    (folder / "source/b").write_text("another picture")


def more_data(folder: Path) -> None:
    (folder / "source/new").write_text("a picture more")


def labels(folder: Path) -> None:
    (folder / layout.boxes_file("pool")).write_text("repaired")
    (folder / "labels").mkdir()
    (folder / "labels/2.json").write_text("[]")
    change_params(folder / layout.PARAMS, ["data.labels=labels/2.json"])


def output_deleted(folder: Path) -> None:
    shutil.rmtree(folder / "models/random.0")
    (folder / "subsets/object_count.parquet").unlink()


def output_changed(folder: Path) -> None:
    (folder / "results/random.0/b").write_text("by hand")


def output_not_in_the_cache(folder: Path) -> None:
    shutil.rmtree(folder / ".dvc/cache")


def input_deleted(folder: Path) -> None:
    (folder / layout.IMAGES).unlink()


def plan(folder: Path) -> None:
    arms = folder / layout.ARMS
    arms.write_text(arms.read_text().replace("direction: higher", "direction: lower"))
    add_block(folder, "random", "2-3")


def another_metric(folder: Path) -> None:
    arms = folder / layout.ARMS
    arms.write_text(arms.read_text().replace("[object_count]", "[object_count, box_tightness]"))


def no_lock(folder: Path) -> None:
    (folder / layout.LOCK).unlink()


def nothing(folder: Path) -> None:
    """Files that are new, old or touched, but the same: DVC ignores what .dvcignore names."""
    (folder / "source/__pycache__").mkdir()
    (folder / "source/__pycache__/x.pyc").write_text("x")
    os.utime(folder / "source/b")
    (folder / "subsets/other.txt").with_name("random.parquet").touch()


EDITS = {
    nothing: set(),
    parameter: {(PARAMETER, "train.iterations"), (PARAMETER, "data.corrupt.strength")},
    a_word_that_is_false_in_older_yaml: {(PARAMETER, "data.group")},
    code: {(CODE, "select"), (CODE, "detector")},
    catalogue: {(CODE, "metrics/catalogue.yaml")},
    data: {(OUTPUT, "source"), (DATA, "source")},
    more_data: {(OUTPUT, "source"), (DATA, "source")},
    labels: {(LABELS, "data/boxes/pool.parquet"), (LABELS, "labels/2.json"), (OUTPUT, "data/boxes/pool.parquet"),
             (PARAMETER, "data.labels"), (OUTPUT, "data/before.parquet")},
    output_deleted: {(OUTPUT, "models/random.0"), (OUTPUT, "subsets/object_count.parquet"),
                     (INPUT, "models/random.0"), (INPUT, "subsets/object_count.parquet"), (INPUT, "subsets")},
    output_changed: {(OUTPUT, "results/random.0"), (INPUT, "results")},
    output_not_in_the_cache: None,
    input_deleted: {(OUTPUT, "data/images.parquet"), (INPUT, "data/images.parquet")},
    plan: {(COMMAND, "--direction"), (NEVER, ""), (INPUT, "arms.yaml"), (INPUT, "rounds.yaml")},
    another_metric: {(COMMAND, "--metrics"), (INPUT, "arms.yaml")},
    no_lock: {(NEVER, "")},
}  # fmt: skip


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.__name__)
def test_what_is_out_of_date_is_what_dvc_says(finished, tmp_path, edit):
    folder = tmp_path / "ws"
    shutil.copytree(finished, folder)
    assert staleness(folder).to_do == []  # and the sums of all files are remembered now
    edit(folder)
    found = staleness(folder)
    refresh_code(folder)
    with chdir(folder), Repo() as repo:
        told = repo.status()
    assert set(found.to_do) == set(told)
    if EDITS[edit] is not None:
        assert {(reason.kind, reason.what) for reasons in found.why.values() for reason in reasons} == EDITS[edit]


def test_parameters_are_told_with_their_values(finished, tmp_path):
    folder = tmp_path / "ws"
    shutil.copytree(finished, folder)
    parameter(folder)
    [reason] = staleness(folder).why["train@random.0"]
    assert (reason.what, reason.old, reason.new) == ("train.iterations", 3, 7)
    plan(folder)
    [reason, *_] = staleness(folder).why["select@object_count"]
    assert (reason.kind, reason.what, reason.old, reason.new) == (COMMAND, "--direction", "higher", "lower")


def test_nothing_is_locked_and_nothing_but_scratch_is_written(finished, tmp_path):
    folder = tmp_path / "ws"
    shutil.copytree(finished, folder)
    parameter(folder)
    (folder / layout.CODE).unlink()
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if layout.SCRATCH not in path.as_posix()}
    with chdir(folder), Repo() as repo, repo.lock:
        assert "train@random.0" in staleness(folder).to_do
    after = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if layout.SCRATCH not in path.as_posix()}
    ours = folder / ".dvc"
    assert {p: t for p, t in before.items() if ours not in (p, *p.parents)} == {
        p: t for p, t in after.items() if ours not in (p, *p.parents)
    }


def test_the_source_file_whose_edit_made_a_stage_stale_is_named(finished, tmp_path, monkeypatch):
    folder = tmp_path / "ws"
    shutil.copytree(finished, folder)
    digest = read_as_dvc((folder / layout.CODE).read_text())["select"]
    known = folder / layout.CODE_FILES / f"{digest}.json"
    other = known.with_name(f"{'1' * 16}.json")
    content = known.read_text()
    name = "metricloop/selection/policies/best.py"
    assert name in content
    other.write_text(content.replace(f'"{name}": "', f'"{name}": "0'))
    (folder / layout.LOCK).write_text((folder / layout.LOCK).read_text().replace(digest, "1" * 16))
    assert [(r.kind, r.what) for r in staleness(folder).why["select@random"]] == [(CODE, name)]


def test_a_stage_of_a_persons_own_that_only_dvc_understands_is_asked_of_dvc(finished, tmp_path):
    folder = tmp_path / "ws"
    shutil.copytree(finished, folder)
    stages = folder / layout.STAGES
    stages.write_text(stages.read_text() + "  mine:\n    cmd: echo x > mine.txt\n    wdir: .\n    outs: [mine.txt]\n")
    assert staleness(folder).to_do == ["mine"]


def test_the_texts_of_a_refreshed_workspace_are_those_on_disk(finished):
    for name, text in fresh_files(finished).items():
        assert (finished / name).read_text() == text


def test_a_damaged_lock_that_was_never_committed_is_deleted_not_checked_out(tmp_path):
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    with pytest.raises(ValueError, match=r"dvc\.lock is damaged.*none is committed yet, so delete it.* rm .*dvc\.lock"):
        read_lock("- a list\n", tmp_path / layout.LOCK)


@pytest.mark.parametrize("damage", ["<<<<<<< HEAD\n{}", "- a list\n", "", "schema: '2.0'\nstages:\n"])
def test_a_damaged_lock_is_told_with_the_way_back(finished, tmp_path, damage):
    folder = tmp_path / "ws"
    shutil.copytree(finished, folder)
    lock = folder / layout.LOCK
    git = ["git", "-C", folder, "-c", "user.name=a", "-c", "user.email=a@b.c"]
    subprocess.run([*git, "add", "-f", layout.LOCK], check=True)
    subprocess.run([*git, "commit", "-qm", "done", "--", layout.LOCK], check=True)
    lock.write_text(damage.format(lock.read_text().replace("|| sh .dvc/explain.sh", "")))  # of an earlier version, too
    with pytest.raises(ValueError, match=r"dvc\.lock is damaged.* git -C .*ws checkout HEAD -- dvc\.lock"):
        staleness(folder)
