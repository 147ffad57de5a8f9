"""The questions `check` and `compare`: the gate's verdict before anything is handed in, and two arms side by side."""

import json
from dataclasses import replace

import numpy as np
import pytest
from round_fixture import CODE, Model, drawn, make_round, pictured_pool, row, with_truth_arm

from metricloop.data.boxes import iou
from metricloop.data.frame import Detections
from metricloop.data.tables import SUBSET, write_json, write_table
from metricloop.engineer.desk import Desk
from metricloop.engineer.explore import answer_to
from metricloop.engineer.questions import read_exploring
from metricloop.engineer.study_view import class_ap_of
from metricloop.evaluation.coco import coco_evaluate, write_matches
from metricloop.training.evaluate_models import SEED_PREDICTIONS

FRAMES = drawn(12)
HEAD = "from metricloop import metric\n\n\n"


@pytest.fixture
def desk(tmp_path):
    (tmp_path / "pictures").mkdir()
    pool = pictured_pool(tmp_path / "pictures", FRAMES, [f"secret_name_{k}.png" for k in range(12)])
    made, _ = make_round(tmp_path, Model(), None, FRAMES)
    return Desk(replace(made.study, pool=pool, search=replace(pool, image_id=np.arange(100, 112))))


def ask(desk: Desk, **question) -> str:
    """The answer to a question as the model writes it."""
    ((one),) = read_exploring(json.dumps({"notes": "", "questions": [{"why": "", **question}]}))[1]
    return answer_to(one, "Q1.1", desk).said


def check(desk: Desk, body: str, metric: str = "wide", level: str = "object") -> str:
    code = f'{HEAD}@metric(level="{level}")\ndef wide(frame):\n    return {body}\n'
    return ask(desk, kind="check", name=metric, code=code)


def test_code_that_keeps_every_rule_passes_and_nothing_is_journaled(desk, walls, tmp_path):
    said = ask(desk, kind="check", name="wide", code=CODE)
    assert said == "wide passes the gate: it keeps every rule on 12 images."
    assert not (tmp_path / "journal.jsonl").exists()
    assert not (tmp_path / "metrics").exists()


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("frame.boxes[:, 2] - frame.boxes[0, 2]", 'rule "order": depends on the order of the boxes'),
        ("frame.boxes[:, 2] * 0", 'rule "varies": says 0 for everything'),
        ("frame.nothing", "(line 6: return frame.nothing)"),
        ("open('/etc/passwd').read()", "PermissionError"),
        ("__import__('os').listdir('../..')", "PermissionError"),
        ("[0.0] * 10**9", "MemoryError"),
    ],
)
def test_a_broken_rule_is_told_with_the_line_of_the_models_own_text(desk, walls, body, said):
    told = check(desk, body)
    assert told.startswith("wide does not pass the gate.")
    assert said in told
    assert "Some of the images that it was tried on: image 0: 160 x 120, 1 box" in told
    assert "secret_name" not in told
    assert "root:" not in told


def test_the_rules_after_one_that_stops_are_said_to_be_open(desk, walls):
    assert "The rules after it were not checked." in check(desk, "frame.nothing")
    assert "not checked" not in check(desk, "frame.boxes[:, 2] * 0")


@pytest.mark.parametrize("name", ["object_count", "box_tightness"])
def test_a_name_that_is_taken_is_told_before_code_runs(desk, name):
    assert f"a metric is called {name} already" in ask(desk, kind="check", name=name, code="import nonsense")


@pytest.mark.parametrize("name", ["../truth", "a b", "x" * 80])
def test_a_name_that_is_a_path_is_no_question(desk, name):
    assert ask(desk, kind="check", name=name, code=CODE).startswith("This question cannot be used: name:")
    assert ask(desk, kind="compare", arm=name).startswith("This question cannot be used: arm:")


REPAIR = """import numpy as np
from metricloop import Edit, repair


@repair()
def drop_small(frame):
    sides = (frame.boxes[:, 2:] - frame.boxes[:, :2]).max(axis=1)
    return [Edit.drop(int(row), confidence=0.9) for row in np.flatnonzero(sides < 40)]
"""


def test_a_repair_is_checked_by_the_rules_for_repairs(desk, walls):
    assert ask(desk, kind="check", name="drop_small", code=REPAIR).startswith("drop_small passes the gate")
    nothing = ask(desk, kind="check", name="drop_small", code=REPAIR.replace("sides < 40", "sides < 0"))
    assert nothing.startswith("drop_small does not pass the gate.")
    assert "a repair is called tighten already" in ask(desk, kind="check", name="tighten", code=REPAIR)


def shifted(by: float) -> list[Detections]:
    """Every label as a detection, moved to the right by some pixels."""
    move = np.array([by, 0, by, 0], np.float32)
    return [Detections(f.boxes + move, np.linspace(0.9, 0.8, len(f.boxes), dtype=np.float32), f.labels) for f in FRAMES]


def write_block(desk: Desk, block: str, moves: dict[int, float]) -> list[float]:
    """Results on disk of a block whose detectors see every object so many pixels too far right; returns their mAP."""
    folder, search = desk.study.folder, desk.study.search
    evaluated = {seed: coco_evaluate(search, shifted(by)) for seed, by in moves.items()}
    numbers = {str(seed): found.numbers for seed, found in evaluated.items()}
    write_json(folder / f"results/{block}/metrics.json", {"seeds": numbers})
    write_json(folder / f"results/{block}/recipe.json", {"hash": "x", "fields": {}})
    write_matches(folder / f"results/{block}/matches.parquet", {s: found.matches for s, found in evaluated.items()})
    rows = [
        (seed, image, *box, score, label)
        for seed, by in moves.items()
        for image, found in zip(search.image_id, shifted(by), strict=True)
        for box, score, label in zip(found.boxes, found.scores, found.labels, strict=True)
    ]
    names = ("seed", "image_id", "x1", "y1", "x2", "y2", "score", "label")
    columns = dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))
    write_table(folder / f"results/{block}/predictions.parquet", SEED_PREDICTIONS, columns)
    return [found.numbers["mAP"] for found in evaluated.values()]


@pytest.fixture
def measured(desk):
    """Two arms with three seeds each, and the baseline: `exact` errs by 0, 0 and 1 px, `loose` by 4, 5 and 6."""
    moves = {"random": {0: 2, 1: 3, 2: 4}, "exact": {0: 0, 1: 0, 2: 1}, "loose": {0: 4, 1: 5, 2: 6}}
    box = {name: [None] * 3 for name in ("box_id", "x1", "y1", "x2", "y2", "label")}
    arms, plan = [], desk.study.plan | {"blocks": {}, "arms": {"random": desk.study.plan["arms"]["random"]}}
    for place, (name, by_seed) in enumerate(moves.items()):
        values = write_block(desk, f"{name}.0", by_seed)
        plan["blocks"][f"{name}.0"] = {"arm": name, "seeds": "0-2"}
        arm = row(name, "baseline" if name == "random" else "treatment", {"name": "best"}, 0.01 * place)
        arm["mAP"] = {"mean": float(np.mean(values)), "sd": float(np.std(values, ddof=1)), "per_seed": values}
        arms.append(arm)
        plan["arms"].setdefault(name, desk.study.plan["arms"]["counted"])
        kept = {"draw": [0] * 3, "image_id": list(range(place, place + 3)), **box, "use": ["none"] * 3}
        write_table(desk.study.folder / f"subsets/{name}.parquet", SUBSET, kept)
    found = replace(desk.study, plan=plan, comparison={"arms": arms})
    return Desk(found), {arm["name"]: arm["mAP"]["per_seed"] for arm in arms}


def test_two_arms_are_compared_by_their_means_over_seeds_and_images(measured):
    desk, values = measured
    said = ask(desk, kind="compare", arm="exact", other="loose")
    each = np.array(values["exact"]) - np.array(values["loose"])
    assert said.startswith(f"`exact` minus `loose`: +{each.mean():.3f} mAP, 95 % interval ")
    low, high = (float(n) for n in said.split("interval ")[1].split(" over")[0].replace("\u2212", "-").split(" to "))
    assert low < each.mean() < high
    assert ", ".join(f"seed {seed} +{gain:.3f}" for seed, gain in enumerate(each)) in said
    assert "hold 3 images and 3 images, of which 2 are the same, 67\u00a0% of `exact` (by chance 25\u00a0%)" in said
    assert "`left_out_by: loose`" in said


def test_errors_of_any_arm_are_counted_on_the_search_split(measured):
    desk, _ = measured
    said = ask(desk, kind="compare", arm="loose")  # against random
    cells = []
    for moves in ((4, 5, 6), (2, 3, 4)):
        overlaps = [
            np.concatenate([iou(f.boxes, found.boxes).diagonal() for f, found in zip(FRAMES, shifted(by), strict=True)])
            for by in moves
        ]
        hits = [int((found >= 0.5).sum()) for found in overlaps]  # no label is nearer to another detection
        cells.append(f"{np.mean(hits):.0f} ± {np.std(hits, ddof=1):.0f}")
    assert cells == ["23 ± 2", "24 ± 0"]
    assert f"| correct | {cells[0]} | {cells[1]} | \u2212" in said
    assert "`loose` minus `random`" in said


def test_the_ap_of_every_class_is_told_but_of_a_single_one(measured):
    desk, _ = measured
    assert "| AP of" not in ask(desk, kind="compare", arm="exact")
    names = ("panda", "foot|ball", "absent")
    for arm, panda in (("exact", [0.5, 0.6, 0.7]), ("random", [0.3, 0.3, 0.3])):
        file = desk.study.folder / f"results/{arm}.0/metrics.json"
        found = json.loads(file.read_text())
        for value, numbers in zip(panda, found["seeds"].values(), strict=True):
            numbers["per_class"] = {name: {"mAP": v} for name, v in zip(names, (value, 0.0, None), strict=True)}
        write_json(file, found)
    study = replace(desk.study, search=replace(desk.study.search, class_names=names))
    said = ask(Desk(study), kind="compare", arm="exact")
    assert "| AP of panda | 0.600 ± 0.100 | 0.300 ± 0.000 | +0.300 |\n| AP of foot/ball | 0.000 ± 0.000 |" in said
    assert "absent" not in said  # no object of it
    assert class_ap_of(study, ["exact"]) == {"panda": pytest.approx(0.6), "foot|ball": 0.0}
    assert class_ap_of(study, ["random", "oracle"]) == {"panda": pytest.approx(0.3), "foot|ball": 0.0}


def test_of_many_classes_those_are_told_that_differ_most(measured):
    desk, _ = measured
    names = tuple(f"class{number}" for number in range(30))
    for arm, way in (("exact", 1), ("random", -1)):
        file = desk.study.folder / f"results/{arm}.0/metrics.json"
        found = json.loads(file.read_text())
        for numbers in found["seeds"].values():
            numbers["per_class"] = {name: {"mAP": 0.5 + way * 0.01 * place} for place, name in enumerate(names)}
        write_json(file, found)
    study = replace(desk.study, search=replace(desk.study.search, class_names=names))
    said = ask(Desk(study), kind="compare", arm="exact")
    assert [line.split()[3] for line in said.splitlines() if "AP of class" in line] == list(names[10:])
    assert "\n\nOf 30 classes those 20 whose AP differs most.\n" in said


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ({"arm": "oracle"}, "no arm oracle has results; those with full trials are random, exact, loose"),
        ({"arm": "relabelled"}, "no arm relabelled has results"),
        ({"arm": "exact", "other": "oracle"}, "no arm oracle has results"),
        ({"arm": "exat"}, "did you mean 'exact'?"),
        ({"arm": "exact", "other": "exact"}, "name two arms that differ"),
    ],
)
def test_arms_made_from_the_truth_are_not_there(measured, question, said):
    desk, _ = measured
    assert said in ask(Desk(with_truth_arm(desk.study)), kind="compare", **question)


def test_the_split_cannot_be_chosen(measured):
    desk, _ = measured
    for kind, rest in (("compare", {"arm": "exact"}), ("check", {"name": "wide", "code": CODE})):
        assert "Extra inputs are not permitted" in ask(desk, kind=kind, split="test", **rest)


def test_pictures_that_one_arm_keeps_and_another_leaves_out(measured):
    desk, _ = measured
    said = ask(desk, kind="show", what="images", arm="exact", left_out_by="loose")
    assert said.startswith("1 image fits. The first: 1 (")  # exact keeps 1, 2 and 3, loose 2, 3 and 4
    assert "no arm oracle has a subset" in ask(desk, kind="show", what="images", arm="exact", left_out_by="oracle")
