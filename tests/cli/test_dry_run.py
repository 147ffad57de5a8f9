"""run --dry-run checks everything, writes nothing, and shows what would run and what it can decide."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
from tiny_study import make_tiny

from metricloop import layout
from metricloop.cli.main import main
from metricloop.data.tables import IMAGES, write_json, write_table
from metricloop.study.edit_params import change_params

TIMES = {"start": 1.0, "iteration": 0.01, "inference": 0.5}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make_tiny(tmp_path_factory.mktemp("dry") / "a study é")


@pytest.fixture
def untimed(monkeypatch):
    monkeypatch.setattr("metricloop.cli.dry_run._timed", lambda *given: TIMES)


def state(folder: Path) -> dict[str, tuple[int, str]]:
    """Path -> modification time and content of everything in a folder, hidden files too."""
    return {
        str(path.relative_to(folder)): (
            path.lstat().st_mtime_ns,
            hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "",
        )
        for path in [folder, *folder.rglob("*")]
    }


def test_nothing_is_written_not_even_what_set_changes(made, untimed, capsys):
    (made / "code.yaml").write_text("ingest: of another version\n")  # a run would write it anew
    before = state(made)
    typed = ["run", "-C", str(made), "--dry-run", "--set", "train.iterations=999", "looks.arms=[4]"]
    assert main(typed) == 0
    out = capsys.readouterr().out
    assert out.startswith("would change params.yaml: train.iterations: 3 -> 999\n")
    assert "10 s" not in out
    assert state(made) == before
    assert max(map(len, out.splitlines())) <= 80


def test_the_changed_settings_count(made, untimed, capsys):
    def outlook(*sets: str) -> list[str]:
        assert main(["run", "-C", str(made), "--dry-run", *(["--set", *sets] if sets else [])]) == 0
        return capsys.readouterr().out.splitlines()

    few, many = outlook(), outlook("scenes.images=360")
    [line] = [line for line in few if line.startswith("decides  a true gain of ")]
    assert line != next(line for line in many if line.startswith("decides  a true gain of "))
    assert any("11 search images are few: no gain below" in line for line in few)  # 0.3 of 36
    assert "stages   12 of 12 to do: draw, ingest, predict, score, select x2, train x2," in few[0]


def test_the_smallest_gain_is_that_of_the_power_analysis(made, untimed, capsys):
    from metricloop.comparison.looks import Look
    from metricloop.comparison.power import TYPICAL, detectable_gain
    from metricloop.text.numbers import signed

    assert main(["run", "-C", str(made), "--dry-run"]) == 0
    least = detectable_gain([Look(2, 2, 0.05)], 1, 11, TYPICAL)
    assert f"a true gain of {signed(least)} mAP or more is found four times in five" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("share", "advice"),
    [
        ("0.15", "with --set data.search_share=0.3 there are 2.0 times as many"),
        ("0.2", "with --set data.search_share=0.3 there are 1.5 times as many"),  # never more than 0.3
        ("0.3", "more labelled val pictures would help"),
    ],
)
def test_few_search_images_that_metricloop_draws_can_be_more_by_a_setting(made, untimed, capsys, share, advice):
    assert main(["run", "-C", str(made), "--dry-run", "--set", f"data.search_share={share}"]) == 0
    assert f"however many seeds; {advice}" in " ".join(capsys.readouterr().out.split())


def test_few_search_images_that_the_data_set_gave_can_be_more_by_labelling_only(untimed, capsys, tmp_path):
    study = make_tiny(tmp_path / "given")
    splits = {"pool": {"images": 20}, "search": {"images": 10}, "test": {"images": 10}}  # 0.25, and 0.15 is asked for
    write_json(study / layout.SUMMARY, {"splits": splits})
    assert main(["run", "-C", str(study), "--dry-run"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "10 search images are few: no gain below" in out
    assert "however many seeds; more labelled val pictures would help" in out


def test_search_images_of_one_film_count_once(made, untimed, capsys, tmp_path):
    """Seven frames of two films, as the verdict counts them: two groups."""
    columns = {name: np.zeros(9, int) for name in ("width", "height")} | {
        name: ["x"] * 9 for name in ("file", "sha256")
    }
    groups = ["pool", "pool", "a", "a", "a", "a", "b", "b", "b"]
    splits = ["pool"] * 2 + ["search"] * 7
    study = make_tiny(tmp_path / "films")
    columns |= {"image_id": np.arange(9), "group": groups, "split": splits}
    write_table(study / "data/images.parquet", IMAGES, columns)
    assert main(["run", "-C", str(study), "--dry-run"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "2 groups of search images and 1 metric" in out
    assert "2 groups of search images are few: no gain below" in out


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        (["--set", "train.iteration=5"], "--set train.iteration: unknown key; did you mean 'train.iterations'?"),
        (["--arm", "object_cout"], "did you mean 'object_count'?"),
        (["--set", "data.outside=[nowhere]"], "nowhere is no folder"),
    ],
)
@pytest.mark.parametrize("dry", [["--dry-run"], []])
def test_a_mistake_is_told_and_nothing_is_changed(made, capsys, typed, told, dry):
    before = state(made)
    assert main(["run", "-C", str(made), *dry, *typed]) == 1
    assert told in capsys.readouterr().err
    assert state(made) == before


def test_a_mistake_in_the_plan_is_told_before_a_setting_is_changed(made, capsys):
    arms = (made / "arms.yaml").read_text()
    try:
        (made / "arms.yaml").write_text(arms.replace("[object_count]", "[object_cont]"))
        params = (made / "params.yaml").read_text()
        assert main(["run", "-C", str(made), "--set", "train.iterations=7"]) == 1
        assert "no metric 'object_cont' in the catalogue; did you mean 'object_count'?" in capsys.readouterr().err
        assert (made / "params.yaml").read_text() == params
    finally:
        (made / "arms.yaml").write_text(arms)


@pytest.mark.slow
def test_a_real_timing_takes_the_changed_settings(made):
    from metricloop.cli.dry_run import _timed

    change_params(made / "params.yaml", ["train.detector=fcos_shufflenet"])
    text = (made / "params.yaml").read_text().replace("image_size: 64", "image_size: 32")
    assert set(_timed(made, text, 1)) == {"start", "iteration", "inference"}
