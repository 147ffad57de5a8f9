"""Every upload that must be refused is refused with the right status, as a problem that says what to do."""

import json
import re

import pytest
from fake_detector import FakeDetector, png
from fastapi.testclient import TestClient
from hostile_uploads import LIMITS, UPLOADS, form, part

from metricloop.serving.app import create_app
from metricloop.serving.limits import Limits
from metricloop.serving.problems import KINDS


@pytest.fixture(scope="module")
def client():
    with TestClient(create_app(FakeDetector(), Limits(**LIMITS))) as client:
        yield client


@pytest.mark.parametrize("upload", UPLOADS, ids=[upload.name for upload in UPLOADS])
def test_it_is_refused_and_the_server_goes_on(client, upload):
    answer = client.request(upload.method, upload.path, content=upload.body, headers=upload.headers)
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert (answer.status_code, problem["type"]) == (upload.status, f"/docs#{upload.kind}"), problem
    assert problem == {**problem, "status": upload.status, "title": KINDS[upload.kind].title}
    assert re.fullmatch(r"[\x20-\x7e]{10,300}", problem["detail"])
    for foreign in ("script", "passwd", "31m", "aaaa", "filename"):
        assert foreign not in json.dumps(problem)
    assert client.post("/predict", files={"files": png()}).status_code == 200


def test_there_are_at_least_forty_kinds_and_each_problem_of_a_request_is_among_them():
    assert len(UPLOADS) >= 40
    met = {upload.kind for upload in UPLOADS}
    assert set(KINDS) - met == {
        *("bad-http", "too-slow", "busy", "not-ready", "failed", "wrong-host", "other-site")  # tested elsewhere
    }


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ('filename="a b.png"', "a b.png"),
        ('filename="../../etc/passwd"', "passwd"),
        (r'filename="C:\\photos\\a.png"', "a.png"),
        ('filename="\x1b[31mred\x07"', "[31mred"),
        ('filename="\u202egnp.exe"', "gnp.exe"),
        ('filename="ä\u0301.png"', "ä\u0301.png"),
        ('filename="' + "n" * 3000 + '.png"', "n" * 197 + "..."),
        ('filename=""', "picture 1"),
        ('filename="\udcff\udcfe"', "\ufffd\ufffd"),  # not UTF-8
    ],
)
def test_a_name_is_cleaned_before_it_is_shown(client, sent, shown):
    answer = client.post("/predict", **as_content(form(part(png(), f'name="files"; {sent}'))))
    assert answer.status_code == 200, answer.text
    assert answer.json()["pictures"][0]["file"] == shown


def as_content(upload: dict) -> dict:
    return {"content": upload["body"], "headers": upload["headers"]}
