"""Exploring: the model asks, our code answers, everything is journaled; pictures come only from where they may."""

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest
from round_fixture import Model, accepting, drawn, make_round, pictured_pool, proposal, with_truth_arm

from metricloop.data.tables import SCORES, write_table
from metricloop.engineer.briefing import unseen
from metricloop.engineer.desk import Desk, QuestionError
from metricloop.engineer.explore import answer_to, explore
from metricloop.engineer.propose import propose
from metricloop.engineer.questions import MOST_QUESTIONS, Show, exploring_schema, read_exploring
from metricloop.engineer.show import show
from metricloop.evaluation.error_types import Error, Errors
from metricloop.llm.journal import Journal, Key
from metricloop.llm.message import Picture

FRAMES = drawn(12)  # images 0 to 11 with 1, 2, 3, 1, 2, 3 ... boxes; every second box is also a prediction


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    return pictured_pool(tmp_path_factory.mktemp("pictures"), FRAMES, [f"{k}.png" for k in range(12)])


@pytest.fixture
def desk(tmp_path, pictures):
    """The desk of a study with one metric of images: its score is the image's id."""
    made, _ = make_round(tmp_path, Model(), None, FRAMES, pictures="thumbnails")
    columns = {"image_id": range(12), "box_id": [None] * 12, "score": np.arange(12.0), "error": [None] * 12}
    write_table(tmp_path / "scores/labels/object_count.parquet", SCORES, columns)
    return Desk(replace(made.study, pool=pictures, search=replace(pictures, image_id=np.arange(100, 112))))


def asking(**fields) -> Show:
    return Show(kind="show", why="to see", what="images", **fields)


def ids(said: str) -> list[int]:
    """The image ids of a list of images in words."""
    return [int(part.split(" (")[0]) for part in said.split("The first: ")[1].replace(" and ", ", ").split("), ")]


def listed(desk: Desk, **fields) -> list[int]:
    """The images that a query finds, in order, in a study whose pictures may not be shown."""
    quiet = replace(desk.study, params=desk.study.params.model_copy(
        update={"llm": desk.study.params.llm.model_copy(update={"pictures": "none"})}))  # fmt: skip
    return ids(show(asking(**fields), Desk(quiet)).said)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"ids": (3, 5)}, {3, 5}),
        ({"metric": "object_count", "score_from": 9}, {9, 10, 11}),
        ({"metric": "object_count", "order": "lowest", "tiles": 3}, [0, 1, 2]),
        ({"metric": "object_count", "order": "highest", "tiles": 2}, [11, 10]),
        ({"metric": "object_count", "order": "extremes", "tiles": 4}, [11, 10, 0, 1]),
        ({"boxes_from": 3}, {2, 5, 8, 11}),
        ({"boxes_to": 1, "ids": (0, 1, 2, 3)}, {0, 3}),
        ({"class_name": "panda", "size_from": 2.0, "ids": (1,)}, set()),
    ],
)
def test_a_query_finds_what_it_says(desk, query, found):
    if not found:
        assert show(asking(**query), desk).said == "0 images fit. Nothing to show: widen the query."
        return
    got = listed(desk, **query)
    assert got == found if isinstance(found, list) else set(got) == found


def test_random_follows_the_seed_and_a_sheet_holds_no_more_tiles_than_allowed(desk):
    first, second = listed(desk, seed=1), listed(desk, seed=2)
    assert first == listed(desk, seed=1) != second
    assert sorted(first) == sorted(second) == list(range(12))
    answer = show(asking(tiles=100_000, side=9_000), desk)
    assert answer.said == "12 images fit. 12 on the sheet. Tiles are 160 px, the most here."
    (sheet,) = answer.pictures
    image = cv2.imdecode(np.frombuffer(sheet.jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert image.shape[1] <= 1024 + 8 * 8
    assert len(sheet.jpeg) <= 120_000


def test_objects_are_shown_in_their_surroundings_with_and_without_boxes(desk):
    asked = {"kind": "show", "why": "", "what": "objects", "ids": (4,)}
    with_boxes, bare = (show(Show(**asked, marks=marks), desk) for marks in ("labels", "none"))
    assert with_boxes.said == "2 objects fit. 2 on the sheet."
    assert with_boxes.pictures[0].jpeg != bare.pictures[0].jpeg


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"ids": (3, 104)}, "the pool has no image 104"),  # of the held-out split
        ({"metric": "truth"}, "no metric truth has scores; known: object_count"),
        ({"arm": "oracle"}, "no arm oracle has a subset; known: counted"),
        ({"class_name": "cat"}, "no class cat; known: panda"),
        ({"order": "highest"}, "order highest needs a metric"),
        ({"order": "disagreement"}, "no out-of-fold predictions"),
    ],
)
def test_what_is_not_there_or_not_to_be_seen_is_refused_with_the_reason(desk, query, said):
    with pytest.raises(QuestionError, match=said):
        show(asking(**query), Desk(with_truth_arm(desk.study)))


def test_held_out_pictures_come_only_as_errors_of_the_baseline(desk):
    with pytest.raises(QuestionError, match="the baseline has no results yet"):
        show(Show(kind="show", why="", what="errors"), desk)
    missed = Error("missed", (5, 5, 30, 30), 0, None)
    errors = Errors({}, 0, 1, 0, 0.5, tuple((missed,) * (row == 7) for row in range(12)))
    desk.errors = [errors]
    answer = show(Show(kind="show", why="", what="errors"), desk)
    assert answer.said == "1 held-out image fits. 1 on the sheet."
    nothing = show(Show(kind="show", why="", what="errors", error="duplicate"), desk)
    assert nothing.said.startswith("0 held-out images fit.")


def asked(*questions, notes="") -> str:
    return json.dumps({"notes": notes, "questions": list(questions)})


SHOW = {"kind": "show", "why": "are boxes loose?", "what": "images"}


def test_a_round_asks_first_and_proposes_with_the_answers_at_hand(tmp_path):
    model = Model(asked(SHOW, notes="12 images"), asked({"kind": "guess"}), asked(notes="ready"), proposal({}))
    made, said = make_round(tmp_path, model, lambda source, name: accepting(name), FRAMES, explore=5)
    (idea,) = propose(made)
    assert idea.name == "wide_ones"
    assert "You may ask questions in 5 calls before you hand in 3 suggestions, up to 4 in each." in model.asked[0][-1]
    assert "## Q1.1 show: are boxes loose?\n\n12 images fit. The first: " in model.asked[1][-1]
    assert "4 calls left" in model.asked[1][-1]
    assert "## Q1.2 unreadable: \n\nThis question cannot be used: kind: 'guess' is none of show" in model.asked[2][-1]
    assert model.asked[3][-1].startswith("You have no more questions.\n\n## What to hand in")
    assert said[0] == "round 1: Q1.1 show: are boxes loose?"
    assert said[1].startswith("round 1: Q1.2 unreadable: This question cannot be used: kind: 'guess' is none of show, ")
    events = list(Journal(tmp_path).about("explored"))
    assert [event["notes"] for event in events] == ["12 images", "", "ready"]
    assert [[q["id"] for q in event["questions"]] for event in events] == [["Q1.1"], ["Q1.2"], []]


def test_an_answer_that_is_no_list_of_questions_costs_a_call_and_is_told(tmp_path):
    model = Model("I would love to see some pandas!", proposal({}))
    made, _ = make_round(tmp_path, model, lambda source, name: accepting(name), FRAMES, explore=1)
    assert [idea.name for idea in propose(made)] == ["wide_ones"]
    assert "This question cannot be used: no whole JSON object in the answer" in model.asked[1][-1]


def test_endless_questions_end_with_the_calls_and_with_the_most_of_one_call(tmp_path):
    model = Model(*[asked(*[SHOW] * 50)] * 2, proposal({}))
    made, _ = make_round(tmp_path, model, lambda source, name: accepting(name), FRAMES, explore=2)
    propose(made)
    assert model.lines == []
    assert [len(event["questions"]) for event in Journal(tmp_path).about("explored")] == [MOST_QUESTIONS] * 2


def test_a_round_that_was_killed_goes_on_without_asking_again(tmp_path):
    model = Model(asked(SHOW), KeyboardInterrupt(), proposal({}))
    made, _ = make_round(tmp_path, model, lambda source, name: accepting(name), FRAMES, explore=1)
    with pytest.raises(KeyboardInterrupt):
        propose(made)
    again, _ = make_round(tmp_path, model, lambda source, name: accepting(name), FRAMES, explore=1)
    assert [idea.name for idea in propose(again)] == ["wide_ones"]
    assert model.asked[2] == model.asked[1]
    kinds = [event["event"] for event in Journal(tmp_path).events if event["event"] in ("explored", "answered")]
    assert kinds == ["answered", "explored", "answered"]


def test_without_exploring_a_round_begins_as_it_did(tmp_path):
    made, _ = make_round(tmp_path, Model(), None, FRAMES)
    system, user = explore(made.study, 1, made.conversation, print)
    assert (system.role, user.role) == ("system", "user")
    assert "## Before you hand in" not in user.text


def test_pictures_of_an_earlier_round_are_named_and_not_sent_again(tmp_path):
    old, new = Picture("smallest", b"a"), Picture("crowded", b"b")
    sent = {"event": "asked", "round": 1, "messages": [{"pictures": [{"title": "smallest", "sha256": old.sha256}]}]}
    assert unseen([old, new], [sent], 2) == ([new], [("smallest", 1)])
    assert unseen([old, new], [sent], 1) == ([old, new], [])  # the same round, gone on with


def test_null_stands_for_every_default_and_a_strange_field_is_named():
    notes, (good, bad) = read_exploring(
        asked(SHOW | {"tiles": None, "ids": None, "kept": None, "marks": None}, SHOW | {"split": "test"})
    )
    assert (notes, good) == ("", Show(**SHOW))
    assert bad == "split: Extra inputs are not permitted"


def test_every_object_of_the_schema_is_strict():
    def objects(part):
        if isinstance(part, dict):
            if part.get("type") == "object":
                yield part
            for value in part.values():
                yield from objects(value)
        elif isinstance(part, list):
            for value in part:
                yield from objects(value)

    found = list(objects(exploring_schema({"type": "object", "properties": {}})["schema"]))
    assert len(found) >= 4
    assert all(part["required"] == list(part["properties"]) for part in found)
    assert all(part["additionalProperties"] is False for part in found)


def test_a_refused_question_is_an_answer_and_no_error(desk):
    found = answer_to(asking(ids=(99,)), "Q1.1", desk)
    assert (found.said, found.pictures) == ("Not answered: the pool has no image 99.", ())
    assert Key(1, "explore").step == "explore"
