"""A preview of a repair tells its edits and how labels and predictions agree, and nothing of the truth."""

from dataclasses import replace

import pytest
from round_fixture import Model, drawn, make_round, pictured_pool

from metricloop.data.tables import TRUTH, write_table
from metricloop.engineer.desk import Desk
from metricloop.engineer.explore import answer_to
from metricloop.engineer.policy_menu import policy_schema
from metricloop.engineer.questions import Preview, exploring_schema

FRAMES = drawn(12)  # 24 boxes; every second of an image is predicted, 2 px off
HEAD = "from metricloop import Edit, repair\n\n@repair(needs=({needs}))\ndef mine(frame):\n    return {value}\n"
DROP_ALL = "[Edit.drop(k, 0.5) for k in range(len(frame.boxes))]"
MANY = "from metricloop import metric\n\n@metric(level='image')\ndef many(frame):\n    return len(frame.boxes)\n"
RANDOM = {"name": "random", "mend": {"repair": "mine", "least_confidence": 0.4}}


@pytest.fixture
def desk(tmp_path):
    """A study with pictures on disk, and out-of-fold predictions."""
    (tmp_path / "pictures").mkdir()
    pool = pictured_pool(tmp_path / "pictures", FRAMES, [f"secret_name_{k}.png" for k in range(12)])
    made, _ = make_round(tmp_path, Model(), None, FRAMES, pictures="thumbnails")
    made = Desk(replace(made.study, pool=pool))
    made.predictions = {frame.image_id: frame.predictions for frame in FRAMES}
    return made


def asked(desk, repair: str | None, policy=RANDOM, **more):
    return answer_to(Preview(kind="preview", why="", repair_code=repair, policy=policy, **more), "Q1.1", desk)


def test_a_repair_of_its_own_is_told_by_strength_with_pictures_before_and_after(desk, walls):
    found = asked(desk, HEAD.format(needs="", value=DROP_ALL))
    lines = found.said.splitlines()
    assert lines[0] == "Edits of `mine` on 12 images with 24 labels, by least confidence:"
    assert lines[2].startswith("| least confidence | drop | move | relabel | add | images | agreement, IoU 0.50 |")
    # 16 predictions, each 2 px beside its label, score from 0.3: F1 = 2 * 16 / (24 + 16) at IoU 0.5
    assert lines[4].startswith("| labels as they are | 0 | 0 | 0 | 0 | 0 | 0.800 |")
    assert lines[5].startswith("| 0.2 | 24 | 0 | 0 | 0 | 12 | 0.000 |")  # no label is left
    assert lines[7].startswith("| 0.6 | 0 | 0 | 0 | 0 | 0 | 0.800 |")
    assert "it is no proof" in found.said
    assert [picture.title for picture in found.pictures] == ["1. What mine changes, from a confidence of 0.4 on"]


def test_a_catalogue_repair_is_named_without_code(desk):
    policy = {"name": "best", "mend": {"repair": "consensus"}}
    assert "Edits of `consensus` on 12 images" in asked(desk, None, policy).said


def test_with_a_metric_the_subset_of_mended_labels_is_told_too(desk, walls):
    """The repair drops the first label of every image, and the policy then takes the quarter with the most labels."""
    policy = {"name": "best", "mend": {"repair": "mine", "least_confidence": 0.4}}
    repair = HEAD.format(needs="", value="[Edit.drop(0, 0.5)]")
    found = asked(desk, repair, policy, metric="many", code=MANY)
    assert found.said.startswith("Edits of `mine` on 12 images with 24 labels")
    assert "Scores of many: 12 images" in found.said
    assert "| Images | 12 | 3 |\n| Boxes | 24 | 6 |\n| Boxes per image | 2.00 | 2.00 |" in found.said  # 3 labels less 1
    plain = asked(desk, None, {"name": "best"}, metric="many", code=MANY).said
    assert "| Boxes | 24 | 9 |" in plain
    assert [picture.title.split(". ", 1)[1] for picture in found.pictures] == [
        "What mine changes, from a confidence of 0.4 on",
        "What many scores best, and worst",
        "What best by many would keep",
    ]
    alone = asked(desk, repair, {**policy, "name": "random"}, metric="many", code=MANY).said
    assert "Scores of" not in alone  # of a policy that reads none
    before, broken = desk.sheets, MANY.replace("len(frame.boxes)", "frame.nothing")
    assert "no metric nowhere has scores" in asked(desk, repair, policy, metric="nowhere").said
    assert "many fails on too many images" in asked(desk, repair, policy, metric="many", code=broken).said
    assert desk.sheets == before  # a sheet that was not shown has no number


def test_what_the_policy_keeps_is_drawn_with_the_mended_labels(desk, walls):
    policy = {"name": "best", "mend": {"repair": "mine"}}  # with a least confidence of 0.6
    shown = [
        asked(desk, HEAD.format(needs="", value=f"[Edit.drop(0, {sure})]"), policy, metric="many", code=MANY).pictures
        for sure in (0.9, 0.1)
    ]
    assert shown[0][-1].jpeg != shown[1][-1].jpeg


def test_it_says_nothing_of_the_truth(desk, walls):
    before = asked(desk, HEAD.format(needs="", value=DROP_ALL)).said
    row = {name: [None] for name in TRUTH.names} | {"image_id": [1], "mistake": ["moved"]}
    write_table(desk.study.folder / "data/truth.parquet", TRUTH, row)
    assert asked(desk, HEAD.format(needs="", value=DROP_ALL)).said == before


@pytest.mark.parametrize(
    ("needs", "value", "said"),
    [
        ("", "[Edit.drop(99, 1)]", "fails on too many images: image 0: "),
        ("", "[Edit.add([0, 0, 1e9, 5], 0, 1)]", "must lie inside the image"),
        ("", "[Edit.drop(0, float('nan'))]", "confidence must be between 0 and 1"),
        ("", "[Edit.add([k, 0, k + 2, 5], 0, 1) for k in range(9000)]", "9000 edits"),
        ("", "open('/etc/passwd').read()", "PermissionError"),
        ("'embedding',", "[]", "needs embedding; it may need image and predictions"),
    ],
)
def test_a_hostile_repair_is_told_why_without_the_names_of_files(desk, walls, needs, value, said):
    found = asked(desk, HEAD.format(needs=needs, value=value)).said
    assert said in found
    assert "secret_name" not in found


@pytest.mark.parametrize(
    ("code", "policy", "said"),
    [
        ("x = 1", {"name": "best"}, "the policy's `mend` names the repair"),
        ("x = 1", RANDOM, "the code declares no repair, not mine"),
        (None, RANDOM, "no repair mine is known; known: consensus"),
        (None, {"name": "oracle", "mend": {"repair": "consensus"}}, "unknown policy 'oracle'"),
        (None, {"name": "best"}, "name a metric, or a repair"),
        (None, {"name": "random"}, "random without `mend` is the baseline"),
    ],
)
def test_what_cannot_be_previewed_is_said(desk, walls, code, policy, said):
    assert said in asked(desk, code, policy).said


def test_without_predictions_only_the_edits_are_told(desk, walls):
    desk.predictions = None
    found = asked(desk, HEAD.format(needs="", value=DROP_ALL)).said
    assert "agreement" not in found.lower()
    assert "| 0.4 | 24 |" in found
    assert "has no out-of-fold predictions" in asked(desk, HEAD.format(needs="'predictions',", value="[]")).said


def test_the_schema_of_questions_has_the_code_of_a_repair():
    assert "repair_code" in str(exploring_schema(policy_schema()))
