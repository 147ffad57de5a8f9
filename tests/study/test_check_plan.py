"""Every fault of a plan is told before anything runs, with the entry and the nearest known name."""

import pytest
import yaml
from tiny_study import CHANGES

from metricloop.params import check_params
from metricloop.study.check_files import faults as file_faults
from metricloop.study.check_plan import faults, warnings
from metricloop.study.check_study import check_study
from metricloop.study.edit_params import changed_text
from metricloop.study.new_study import NewStudy, demo_plan, params_text, render_arms
from metricloop.study.plan import PlanError, load_plan

MINE = "from metricloop import metric\n\n@metric(level='image')\ndef glare(frame):\n    return 1.0\n"


@pytest.fixture
def folder(tmp_path):
    """The plan and the settings of the full demo: every policy that a new workspace may have."""
    study = demo_plan("demo", full=True)
    (tmp_path / "params.yaml").write_text(params_text(study))
    (tmp_path / "arms.yaml").write_text(render_arms(study))
    (tmp_path / "mine.py").write_text(MINE)
    return tmp_path


def told(folder, change, *sets) -> list[str]:
    """The faults of the plan after a change of arms.yaml and of params.yaml."""
    plan = yaml.safe_load((folder / "arms.yaml").read_text())
    change(plan)
    (folder / "arms.yaml").write_text(yaml.safe_dump(plan))
    text, _ = changed_text((folder / "params.yaml").read_text(), sets)
    params = check_params(yaml.safe_load(text))
    return list(faults(folder, params, load_plan(folder)))


def put(section, name, **values):
    return lambda plan: plan[section][name].update(values)


def test_what_init_writes_is_right(folder):
    checked = check_study(folder)
    assert list(checked.warnings) == []
    lions = NewStudy(name="s", source="s", root="s", truth="t")
    (folder / "arms.yaml").write_text(render_arms(lions))
    (folder / "params.yaml").write_text(params_text(lions))
    (folder / "t").touch()
    assert list(check_study(folder).warnings) == []


SCORES = "scores/labels/object_count.parquet"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (put("batches", "labels", metrics=["object_cout", "object_proximity", "aspect_ratio"]),
         "batches.labels: no metric 'object_cout' in the catalogue; did you mean 'object_count'?"),
        (put("batches", "labels", metrics=["object_count", "object_count", "object_proximity", "aspect_ratio"]),
         "batches.labels: object_count stands there twice"),
        (put("batches", "model", needs="data/images.parquet"),
         "batches.model: object_confidence needs data/predictions.parquet, but the batch names data/images.parquet"),
        (put("batches", "model", needs="data/prediction.parquet"),
         "batches.model: needs is 'data/prediction.parquet'; did you mean 'data/predictions.parquet'?"),
        (put("arms", "object_count", a="scores/label/object_count.parquet"),
         "arms.object_count: nothing writes its a, 'scores/label/object_count.parquet'; did you mean "
         "'scores/labels/object_count.parquet'?"),
        (put("arms", "object_count", a="data/images.parquet"),
         "arms.object_count: the policy best reads scores as a, found 'data/images.parquet'"),
        (put("arms", "box_matched", b="data/images.parquet"),
         "arms.box_matched: the policy match reads a subset as b, found 'data/images.parquet'"),
        (put("arms", "box_matched", b="subsets/object_cont.parquet"),
         "arms.box_matched: nothing writes its b, 'subsets/object_cont.parquet'; did you mean "
         "'subsets/object_count.parquet'?"),
        (put("arms", "object_count", policy={"name": "diverse"}),
         f"arms.object_count: the policy diverse reads the embeddings as b, found '{SCORES}'"),
        (put("arms", "object_count", b="data/images.parquet", policy={"name": "best", "combine": "product"}),
         "arms.object_count: the policy best reads scores as b, found 'data/images.parquet'"),
        (put("arms", "object_count", policy={"name": "best", "objectives": "object_count, aspect_ratio"}),
         f"arms.object_count: the policy best reads folders of scores as a, found '{SCORES}'"),
        (put("arms", "oracle", a="data/before.parquet"),
         "arms.oracle reads data/before.parquet, but data.labels names no version of repaired labels"),
        (put("arms", "oracle", a="data/second_labels.parquet"),
         "arms.oracle reads data/second_labels.parquet, but data.second_labels names no second labelling"),
        (put("arms", "object_count", metric="aspect_ratio"),
         "arms.object_count: metric is aspect_ratio, but its scores are those of object_count"),
        (put("arms", "object_count", polcy="x"), "arms.object_count: unknown key 'polcy'; did you mean 'policy'?"),
        (put("blocks", "random.1", seeds="3-5"),
         "blocks.random.1 has seed 3 of random, as random.0 has; give it other seeds"),
        (put("batches", "pixels", code="mine.py", metrics=["box_tightness", "glar"]),
         "batches.pixels: no metric 'glar' in {folder}/mine.py; did you mean 'glare'?"),
        (put("batches", "pixels", code="metrics/catalogu.yaml"),
         "batches.pixels: {folder}/metrics/catalogu.yaml does not exist; did you mean 'metrics/catalogue.yaml'?"),
    ],
)  # fmt: skip
def test_a_fault_is_named(folder, change, expected):
    assert expected.format(folder=folder) in told(folder, change)


def test_the_truth_is_known_only_where_mistakes_are_made(folder):
    assert told(folder, lambda plan: None, "data.corrupt.preset=none") == [
        f"arms.{name} reads data/truth.parquet, but no mistakes are made on purpose (data.corrupt.preset is none), so "
        "no truth is known"
        for name in ("oracle", "relabelled")
    ]


def test_all_faults_are_told_at_once(folder):
    def two(plan):
        plan["blocks"]["random.1"]["seeds"] = "3-5"
        plan["arms"]["oracle"]["grup"] = "x"

    told(folder, two)
    with pytest.raises(PlanError, match=r"unknown key 'grup'; did you mean 'group'\?\n.*random\.1 has seed 3"):
        check_study(folder)


@pytest.mark.parametrize(
    ("change", "warned"),
    [
        (put("arms", "random", policy={"name": "random_by_group"}), "arms.relabelled draws the images of an arm"),
        (put("arms", "random", policy={"name": "random", "per_group": 2}), "is not that of its labels alone"),
        (lambda plan: plan["blocks"].pop("full.0"), "arms.full has no block, so it is never trained; add full.0: "),
        (lambda plan: (plan["arms"].pop("box_tightness"), plan["blocks"].pop("box_tightness.0")),
         "batches.pixels: box_tightness is scored, but no arm reads its scores"),
    ],
)  # fmt: skip
def test_what_misleads_is_a_warning(folder, change, warned):
    assert told(folder, change) == []
    found = list(warnings(load_plan(folder)))
    assert len(found) == 1
    assert warned in found[0]


def test_seeds_that_no_look_takes_are_a_warning(folder):
    assert check_study(folder).warnings == []
    found = check_study(folder, ["looks.arms=[2]", "looks.baseline=[12]", "looks.alpha=[0.05]"]).warnings
    assert len(found) == 1
    assert found[0].startswith("the looks take 2 seeds of an arm (looks.arms), but ")
    assert found[0].endswith(
        "have 3 in the plan, and all of them are trained; edit `seeds` in arms.yaml, to 0-1 in all, or begin anew with "
        "`init --seeds 2`"
    )
    assert check_study(folder, ["looks.arms=[3]", "looks.baseline=[4]", "looks.alpha=[0.05]"]).warnings == [
        "the looks take 4 seeds of the baseline (looks.baseline), but random has 12 in the plan, and all of them are "
        "trained; edit `seeds` in arms.yaml, to 0-3 in all"
    ]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("data.outside=[gone]", "data.outside: {folder}/gone is no folder"),
        ("data.labels=labels/7.json", "data.labels: {folder}/labels/7.json does not exist"),
        ("data.second_labels=truth.json", "data.second_labels: {folder}/truth.json does not exist"),
        ("train.weights=w.pt", "train.weights: {folder}/w.pt does not exist; give a word or the path of a file"),
        ("train.weights=photo.png",
         "train.weights: {folder}/photo.png is no file of weights, as torch.save writes them, or is cut off"),
        ("llm.cassette=dema", "llm.cassette: 'dema' is no file; give that of a recording, or demo"),
        ("study.budget=0.01", "study.budget: 0.01 of the pool's 30 images is less than one image"),
        ("data.corrupt.article=[{kind: missing, rate: 0.1, classes: [pandas]}]",
         "data.corrupt: missing has the class 'pandas'; did you mean 'panda'?"),
    ],
)  # fmt: skip
def test_a_file_or_name_that_is_not_there(folder, change, expected):
    (folder / "data").mkdir()
    (folder / "data/categories.json").write_text('["panda", "football"]')
    (folder / "data/summary.json").write_text('{"splits": {"pool": {"images": 30}}}')
    (folder / "photo.png").write_bytes(b"\x89PNG")
    text, _ = changed_text((folder / "params.yaml").read_text(), [change])
    assert list(file_faults(folder, check_params(yaml.safe_load(text)))) == [expected.format(folder=folder)]
    assert list(file_faults(folder, check_params(yaml.safe_load((folder / "params.yaml").read_text())))) == []


def test_the_tiny_study_of_the_tests_is_right(tmp_path):
    from tiny_study import ARMS

    (tmp_path / "params.yaml").write_text(params_text(demo_plan("tiny")))
    (tmp_path / "arms.yaml").write_text(ARMS)
    check_study(tmp_path, CHANGES)
