"""Which labels look wrong, and how well that is known: two images of a cat and a dog, and what a model sees in them."""

import csv
import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from metricloop.auditing.audit_files import as_json, suspect_rows, write
from metricloop.auditing.budget import IDEAL, budget, budgets
from metricloop.auditing.disagreement import disagreement
from metricloop.auditing.label_errors import ANY, KINDS, judged_kinds
from metricloop.auditing.measure import COMBINED, measure
from metricloop.auditing.print_audit import print_audit
from metricloop.auditing.reference import PLANTED, SECOND, Reference
from metricloop.auditing.run import Audit
from metricloop.auditing.suspects import suspects
from metricloop.auditing.suspicion import MetricScores, any_suspicion, label_metrics, suspicion
from metricloop.auditing.truth import Truth, known_truth, truth_of
from metricloop.data.dataset import pool_of
from metricloop.data.frame import Detections, Frame
from metricloop.data.tables import TRUTH
from metricloop.metrics.contract import Spec
from metricloop.report.audit_page import build, distinct_curves
from metricloop.scoring.open_metrics import catalogue

CAT, DOG = [0, 0, 10, 10], [20, 20, 40, 40]
FRAMES = [
    Frame(1, 60, 50, np.float32([CAT, DOG]), np.array([0, 1]), ("cat", "dog")),
    Frame(2, 60, 50, np.float32([DOG, [50, 40, 60, 50]]), np.array([0, 0]), ("cat", "dog")),
    Frame(3, 60, 50, np.zeros((0, 4), np.float32), np.zeros(0, int), ("cat", "dog")),
]
POOL = pool_of(FRAMES)
PREDICTIONS = {
    1: Detections(np.float32([CAT, DOG]), np.float32([0.8, 0.9]), np.array([0, 1])),
    2: Detections(np.float32([DOG]), np.float32([0.7]), np.array([1])),  # a dog, labelled a cat; nothing else
    3: Detections(np.float32([DOG]), np.float32([0.6]), np.array([1])),  # which nobody labelled
}


def truth(*rows) -> pa.Table:
    """(image, box or None, mistake) as TRUTH rows."""
    columns = {name: [None] * len(rows) for name in TRUTH.names}
    columns |= {"image_id": [r[0] for r in rows], "box_id": [r[1] for r in rows], "mistake": [r[2] for r in rows]}
    return pa.table(columns, TRUTH)


SPOILT = truth((1, 0, "none"), (1, 1, "none"), (2, 2, "class"), (2, 3, "spurious"), (3, None, "missing"))


def says(name: str, level: str, values: list[float], higher_is: str = "worse") -> MetricScores:
    return MetricScores(Spec(name, level, ("predictions",), higher_is), "matching", np.array(values, float))


SCORES = {
    it.spec.name: it
    for it in (
        says("possible_spurious", "object", [0.2, 0.1, 0.3, 1.0]),
        says("class_margin", "object", [0.8, 0.9, -0.7, 0.0], "better"),
        says("location_doubt", "object", [0.1, 0.05, 1.0, np.nan]),
        says("exclusive_agreement", "object", [0.9, 0.95, 0.0, 0.0], "better"),
        says("uncovered_prediction", "image", [0.0, 0.0, 0.6]),
    )
}


def ranked():
    kinds, notes = judged_kinds(POOL, SCORES)
    return kinds, {kind.name: suspicion(kind, POOL, SCORES) for kind in kinds}, notes


def test_judges_are_metrics_of_the_catalogue_at_the_level_of_their_kind():
    known_ones = catalogue()
    for kind in KINDS:
        for name, weight in (*kind.judges, *kind.otherwise):
            assert known_ones[name].spec.level == {"box": "object", "image": "image"}[kind.unit], name
            assert weight > 0
    assert "object_confidence" in label_metrics(known_ones, {"predictions", "image"})
    assert all("predictions" not in known_ones[name].spec.needs for name in label_metrics(known_ones, {"image"}))


def test_truth_in_the_order_of_the_pool():
    found = truth_of(POOL, SPOILT)
    assert found.boxes.tolist() == ["none", "none", "class", "spurious"]
    assert found.unlabelled.tolist() == [False, False, True]
    assert truth_of(POOL, truth()) is None
    assert truth_of(POOL, truth((1, 0, "none"))) is None


def test_what_cannot_be_judged_is_said():
    kinds, _, notes = ranked()
    assert [kind.name for kind in kinds] == ["spurious", "class", "placed", "missing"]
    assert notes == ['"Probably labelled twice" is not judged: its metrics gave no scores.']
    one_class = pool_of([Frame(1, 9, 9, np.float32([[0, 0, 9, 9]]), np.array([0]), ("cat",))])
    kinds, notes = judged_kinds(one_class, {})
    assert kinds == []
    assert notes[1] == '"Probably the wrong class" is not judged: the pool has only one class.'
    assert notes[-1] == '"Probably an object without a label" is not judged: it needs predictions.'


def test_every_kind_and_metric_is_measured():
    kinds, by_kind, _ = ranked()
    rows = {(row["kind"], row["metric"]): row for row in measure(POOL, truth_of(POOL, SPOILT), kinds, SCORES, by_kind)}
    assert rows["class", "class_margin"]["auroc"] == 1.0
    assert rows["spurious", COMBINED]["auroc"] == 1.0  # 1.0 above 0.2 and 0.1; the box of a wrong class is left out
    assert (rows["spurious", COMBINED]["wrong"], rows["spurious", COMBINED]["right"]) == (1, 2)
    # percentiles 0.5, 0, 1, and 0.5 for the unknown: the spurious box wins once and ties once
    assert rows["spurious", "location_doubt"]["auroc"] == 0.75
    assert rows["spurious", "location_doubt"]["unknown"] == pytest.approx(1 / 3)
    assert rows["missing", COMBINED]["auroc"] == 1.0
    assert ("missing", "class_margin") not in rows  # of boxes, not of images
    assert rows["any", COMBINED]["auroc"] == 1.0
    assert not any(kind in ("placed", "doubled") for kind, _ in rows)  # nothing of the kind was done


def test_a_class_that_the_model_disputes_is_suspicious_whatever_else_is_said():
    kinds, by_kind, _ = ranked()
    boxed = {kind.name: by_kind[kind.name] for kind in kinds if kind.unit == "box"}
    said = SCORES | {"exclusive_agreement": says("exclusive_agreement", "object", [0.1, 0.2, 0.99, 0.3], "better")}
    assert any_suspicion(POOL, said, boxed)[2] >= 0.95
    without = {name: it for name, it in SCORES.items() if name != "exclusive_agreement"}
    assert any_suspicion(POOL, without, boxed).shape == (4,)


def test_a_box_is_listed_once_and_an_image_once_a_kind():
    kinds, by_kind, _ = ranked()
    found = suspects(kinds, by_kind, POOL, PREDICTIONS, 50)
    boxes = [it.box for kind in kinds if kind.unit == "box" for it in found[kind.name]]
    assert len(boxes) == len(set(boxes))
    for listed in found.values():
        assert len({it.row for it in listed}) == len(listed)
    assert [it.box for it in found["class"]] == [2]
    assert found["class"][0].model == ((20.0, 20.0, 40.0, 40.0), 1, pytest.approx(0.7))
    assert [it.box for it in found["spurious"]] == [3]
    assert found["spurious"][0].model is None
    assert found["missing"][0].row == 2
    assert all(len(listed) <= 1 for listed in suspects(kinds, by_kind, POOL, PREDICTIONS, 1).values())


def reference(name: str, found: Truth) -> Reference:
    kinds, by_kind, _ = ranked()
    rows = measure(POOL, found, kinds, SCORES, by_kind)
    told = disagreement(POOL, found) if name == SECOND else []
    return Reference(name, found, rows, budgets(POOL, found, SCORES, by_kind), told)


def made(with_truth: bool = True) -> Audit:
    kinds, by_kind, notes = ranked()
    found = truth_of(POOL, SPOILT) if with_truth else None
    known = [] if found is None else [reference(PLANTED, found)]
    model = {"folds": 2, "iterations": 3, "mAP": 0.25, "mAP_of_truth": 0.5 if found else None}
    listed = suspects(kinds, by_kind, POOL, PREDICTIONS, 50)
    return Audit(POOL, kinds, found, listed, model, {"predict": None, "score": 1.5}, notes, known)


def test_what_is_written(tmp_path):
    audit = made()
    target = write(tmp_path, audit, build(audit, "pets & co"))
    values = json.loads((target / "audit.json").read_text())
    assert values["seconds"] == {"predict": None, "score": 1.5}
    assert values["suspects"]["class"][0] | {"suspicion": None} == {
        "kind": "class", "place": 1, "order": 0, "probability": None, "minutes": 0.5, "suspicion": None,
        "split": "pool", "file": "2.jpg", "image_id": 2, "box_id": 2, "label": "cat",
        "box": [20.0, 20.0, 40.0, 40.0], "model_label": "dog", "model_score": 0.7,
        "model_box": [20.0, 20.0, 40.0, 40.0], "other": None, "truth": "class",
    }  # fmt: skip
    rows = list(csv.DictReader((target / "audit.csv").read_text().splitlines()))
    assert [row["x2"] for row in rows if row["kind"] == "class"] == ["40.0"]
    assert (target / ".gitignore").read_text() == "*\n"
    page = (target / "audit.html").read_text()
    assert "pets &amp; co" in page
    assert "The picture cannot be read." in page  # there are no files here
    assert "labelled <b>cat</b>" in page
    assert "model: dog <" in page
    assert "truth: class" in page


def test_without_truth_nothing_is_claimed_of_it(capsys):
    audit = made(with_truth=False)
    assert all(line["truth"] is None for line in suspect_rows(audit, audit.suspects["class"]))
    page = build(audit, "pets")
    assert "How well the audit finds mistakes" not in page
    assert "truth:" not in page
    print_audit(audit)
    assert "AUROC" not in capsys.readouterr().out


def test_the_terminal_shows_the_measurement(capsys):
    print_audit(made())
    told = capsys.readouterr().out
    assert "mAP 0.250 against these labels, 0.500 against the true labels" in told
    assert COMBINED in told
    assert f"{ANY.name} (2)" in told
    assert "3 findings: about 2 min of a person" in told


SECOND_SAYS = truth(
    (1, 0, "none"), (1, 1, "moved"), (2, 2, "unjudged"), (2, 3, "unjudged"), (3, None, "missing"), (3, None, "missing")
)  # fmt: skip


def with_second_labels() -> Audit:
    audit = made()
    second = reference(SECOND, known_truth(POOL, SECOND_SAYS))
    return replace(audit, references=[*audit.references, second])


def test_a_second_labelling_stands_beside_the_planted_mistakes(tmp_path, capsys):
    audit = with_second_labels()
    values = as_json(audit)
    assert {row["against"] for row in values["measured"]} == {PLANTED, SECOND}
    assert [(row["kind"], row["count"], row["of"]) for row in values["disagreement"]] == [
        ("missing", 2, 4), ("spurious", 0, 2), ("placed", 1, 2), ("class", 0, 2), ("doubled", 0, 2), ("any", 1, 2)
    ]  # fmt: skip
    ideal = {(row["against"], row["unit"]): row for row in values["budget"] if row["order"] == IDEAL}
    assert ideal[SECOND, "images"]["found"] == [0, 2, 3]  # two missing labels, then the moved box
    assert ideal[SECOND, "boxes"]["found"] == [0, 1, 1]
    assert ideal[PLANTED, "images"]["mistakes"] == 3
    print_audit(audit, budget=True)
    told = " ".join(capsys.readouterr().out.split())
    assert "Images opened in the order of each metric, and how many of the 3 mistakes are then found (second" in told
    assert "a box does not fit its object" in told
    assert "AUROC" not in told
    page = build(audit, "pets")
    assert "What the second labels say" in page
    assert page.count('class="curves"') == 4
    assert "2 of 3 images of the pool were labelled a second time" in page
    assert "The second labels also say of 2 images which labels are wrong" in page


def test_a_figure_shows_equal_curves_once():
    mistakes = np.array([1, 0, 0, 1])
    first, same = np.array([4.0, 3, 2, 1]), np.array([40.0, 30, 20, 10])
    other = np.array([1.0, 4, 3, 2])
    made = budget("images", mistakes, {"a": ("image", first), "b": ("image", same), "c": ("image", other)})
    assert [one.name for one in distinct_curves(made)] == ["ideal order", "a", "c", "random order"]


def test_only_a_second_labelling_is_called_by_its_name():
    second = reference(SECOND, known_truth(POOL, SECOND_SAYS))
    page = build(replace(made(), truth=second.truth, references=[second]), "pets")
    assert "second labels: not judged" in page
    assert "The second labels say of 2 images which labels are wrong" in page
    assert "on purpose" not in page
