"""The server against its own description in OpenAPI: every answer is of a form that it describes."""

import json

import pytest
import schemathesis
from fake_detector import FakeDetector, png
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, settings
from running_server import wait_until
from schemathesis.checks import CHECKS

from metricloop.serving.app import create_app
from metricloop.serving.limits import Limits
from metricloop.serving.openapi import PICTURE
from metricloop.serving.problems import KINDS

app = create_app(FakeDetector(), Limits(seconds=60))
schema = schemathesis.openapi.from_asgi("/openapi.json", app)
# A file of random bytes fits the description, but is no picture.
NOT_MEANT = [CHECKS.get_one("positive_data_acceptance")]
# Too much is a refusal, too, but the check does not know this status.
REFUSED = [CHECKS.get_one("negative_data_rejection")]
COMMON = {"deadline": None, "derandomize": True, "suppress_health_check": list(HealthCheck), "database": None}


@schema.parametrize()
@settings(max_examples=25, **COMMON)
def test_answers_are_as_described(case):
    check(case)


@pytest.mark.slow
@schema.parametrize()
@settings(max_examples=1500, **COMMON)
def test_many_answers_are_as_described(case):
    check(case)


@pytest.fixture(scope="module", autouse=True)
def _warmed_up():
    """Before that, /ready answers 503, as it should."""
    with TestClient(app) as client:
        wait_until(lambda: client.get("/ready").status_code == 200)


def check(case) -> None:
    answer = case.call()
    case.validate_response(answer, excluded_checks=[*NOT_MEANT, *(REFUSED if answer.status_code == 413 else [])])
    assert answer.status_code < 500
    if answer.status_code >= 400:
        problem = answer.json()
        assert set(problem) == {"type", "title", "status", "detail"}
        assert problem["type"].removeprefix("/docs#") in KINDS


@pytest.fixture(scope="module")
def client():
    with TestClient(create_app(FakeDetector())) as client:
        yield client


def test_the_examples_of_the_description_work(client):
    described = client.get("/openapi.json").json()
    body = described["paths"]["/predict"]["post"]["requestBody"]["content"]
    assert client.post("/predict", json=body["application/json"]["example"]).status_code == 200
    assert set(body) == {"multipart/form-data", "application/json"}
    assert PICTURE in json.dumps(described)


def test_every_kind_of_problem_of_a_prediction_has_an_example_and_a_place_in_the_documentation(client):
    described = client.get("/openapi.json").json()
    page = client.get("/docs").text
    examples = {
        name: example["value"]
        for responses in (described["paths"]["/predict"]["post"]["responses"],)
        for response in responses.values()
        for name, example in response["content"].get("application/problem+json", {}).get("examples", {}).items()
    }
    assert set(KINDS) - set(examples) == {"not-found", "failed"}
    for name, example in examples.items():
        assert example["type"] == f"/docs#{name}"
        assert f'id="{name}"' in page


def test_the_documentation_loads_nothing(client):
    page = client.get("/docs")
    for sign in ("<script", "src=", '<link rel="stylesheet', "@import"):
        assert sign not in page.text
    assert "script-src 'none'" in page.headers["content-security-policy"]


def test_no_other_site_may_read_answers(client):
    answer = client.post("/predict", files={"files": png()}, headers={"Origin": "https://example.org"})
    assert answer.status_code == 200
    assert not [name for name in answer.headers if name.startswith("access-control")]
