"""A picture that the detector fails at harms no other one; a detector that fails at all is not ready."""

import json

import numpy as np
import pytest
from fake_detector import FakeDetector, png
from fastapi.testclient import TestClient
from running_server import wait_until

from metricloop.serving.app import create_app
from metricloop.serving.limits import Limits


class Moody(FakeDetector):
    """Fails at pictures of 13 pixels in width, and, if `broken`, at all."""

    broken = False

    def detect(self, pictures):
        if self.broken or any(picture.shape[1] == 13 for picture in pictures):
            raise RuntimeError("secret of the detector")
        return super().detect(pictures)


def test_a_picture_that_the_detector_fails_at_is_told_and_the_others_are_answered(caplog):
    with TestClient(create_app(Moody(), Limits())) as client:
        failed = client.post("/predict", files=[("files", png()), ("files", png(13, 13))])
        after = client.post("/predict", files={"files": png()})
    assert (failed.status_code, failed.json()["type"]) == (500, "/docs#failed")
    assert "secret" not in failed.text
    assert "secret of the detector" in caplog.text
    assert after.status_code == 200


def test_it_is_ready_only_after_the_warm_up():
    detector = Moody()
    detector.go.clear()
    with TestClient(create_app(detector)) as client:
        answer = client.get("/ready")
        assert (answer.status_code, answer.json()["type"]) == (503, "/docs#not-ready")
        assert client.get("/health").status_code == 200
        detector.go.set()
        wait_until(lambda: client.get("/ready").status_code == 200)


def test_a_detector_that_fails_at_its_warm_up_is_never_ready(caplog):
    detector = Moody()
    detector.broken = True
    with TestClient(create_app(detector)) as client:
        wait_until(lambda: "will not be ready" in caplog.text)
        assert client.get("/ready").status_code == 503


def test_pictures_together_over_the_pixels_of_the_limit_are_detected_one_after_the_other():
    limits = Limits(pixels=10_000, batch=8)
    with TestClient(create_app(FakeDetector(), limits)) as client:
        answer = client.post("/predict", files=[("files", png(100, 100, seed=n)) for n in range(8)])
    assert [len(picture["detections"]) for picture in answer.json()["pictures"]] == [2] * 8


def test_an_application_that_was_stopped_starts_again():
    app = create_app(FakeDetector())
    for _ in range(2):
        with TestClient(app) as client:
            assert client.post("/predict", files={"files": png()}).status_code == 200


def test_no_number_that_is_none_leaves_the_server():
    class Odd(FakeDetector):
        @staticmethod
        def found(picture):
            found = FakeDetector.found(picture)
            found.boxes[0] = np.nan
            found.scores[1] = np.nan
            return found

    with TestClient(create_app(Odd())) as client:
        answer = client.post("/predict?score=0", files={"files": png()})
    assert [each["score"] for each in answer.json()["pictures"][0]["detections"]] == [0.1]


@pytest.mark.parametrize("facts", [{}, {"classes": []}, {"classes": [1]}, {"classes": ["a"], "x": float("nan")}])
def test_facts_that_are_no_json_or_lack_classes_are_refused_at_the_start(facts):
    detector = FakeDetector()
    detector.facts = facts
    with pytest.raises(ValueError, match="the detector's facts"):
        create_app(detector)


def test_the_metrics_count_what_happened():
    with TestClient(create_app(FakeDetector())) as client:
        client.post("/predict", files=[("files", png())] * 3)
        client.post("/predict", content=b"x")
        client.get("/some/stranger")
        lines = client.get("/metrics").text.splitlines()
        facts = client.get("/metadata").json()
    for line in (
        'metricloop_requests_total{path="/predict",status="200"} 1.0',
        'metricloop_requests_total{path="/predict",status="415"} 1.0',
        'metricloop_requests_total{path="other",status="404"} 1.0',
        "metricloop_pictures_total 3.0",
        "metricloop_requests_waiting 0.0",
        "metricloop_pictures_queued 0.0",
    ):
        assert line in lines
    assert json.dumps(facts["classes"]) == '["panda", "koala"]'
    assert facts["limits"]["pictures"] == 16
