"""The least score where a person gives none: the one from which the detector agreed best with labels."""

import pytest
from fake_detector import FakeDetector, png
from fastapi.testclient import TestClient

from metricloop.serving.app import create_app
from metricloop.serving.detector import usual_score


@pytest.fixture
def client():
    """A server whose detector agreed best with labels from 0.6312; it finds scores .9, .5 and .1."""
    detector = FakeDetector()
    detector.facts["best_score"] = 0.6312
    with TestClient(create_app(detector)) as client:
        yield client


def scores(client, query=""):
    answer = client.post(f"/predict{query}", files={"files": png()})
    assert answer.status_code == 200, answer.text
    return [found["score"] for found in answer.json()["pictures"][0]["detections"]]


def test_a_server_answers_from_the_detectors_own_score_or_from_a_given_one(client):
    assert scores(client) == [0.9]
    assert scores(client, "?score=0.5") == [0.9, 0.5]
    assert scores(client, "?max=1&score=0") == [0.9]
    assert scores(client, "?score=0") == [0.9, 0.5, 0.1]


def test_the_server_says_what_its_usual_score_is(client):
    facts = client.get("/metadata").json()
    assert (facts["best_score"], facts["default_score"]) == (0.6312, 0.63)
    described = client.get("/openapi.json").json()["paths"]["/predict"]["post"]["parameters"]
    assert {one["name"]: one["schema"]["default"] for one in described} == {"score": 0.63, "max": 100}
    assert all(not one["required"] for one in described)
    assert "0 to 1, without it 0.63" in client.get("/docs").text


def test_two_detectors_in_one_process_have_their_own_scores(client):
    with TestClient(create_app(FakeDetector())) as other:
        assert scores(other) == [0.9, 0.5]
    assert scores(client) == [0.9]


def test_what_is_refused_stays_refused(client):
    for query in ("score=2", "score=nan", "score=", "scor=0.5", "score=0.5&score=0.6"):
        answer = client.post(f"/predict?{query}", files={"files": png()})
        assert (answer.status_code in (400, 422), answer.json()["title"]) == (True, "Wrong parameter"), query


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"best_score": 0.2371}, 0.24),
        ({"best_score": 0.0}, 0.0),
        ({"best_score": 1.2}, 1.0),  # a score that a query could not give
        ({"best_score": None}, 0.3),
        ({}, 0.3),
    ],
)
def test_the_usual_score_follows_from_the_facts(facts, expected):
    assert usual_score(facts) == expected
