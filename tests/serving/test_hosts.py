"""A server on 127.0.0.1 is not for pages of other sites, by whatever name they reach it."""

import httpx
import pytest
from fake_detector import FakeDetector, png
from fastapi.testclient import TestClient

from metricloop.serving.app import create_app
from metricloop.serving.limits import Limits, read_limits

LOCAL = ("127.0.0.1", "127.0.0.1")


def status(bound, hosts="", method="POST", **headers) -> tuple[int, str]:
    app = create_app(FakeDetector(), Limits(hosts=hosts), bound)
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    with TestClient(app) as client:
        if method == "GET":
            answer = client.get("/metadata", headers=sent)
        else:
            answer = client.post("/predict", files={"files": png()}, headers=sent)
    if answer.status_code == 200:
        return 200, ""
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-content-type-options"] == "nosniff"
    return answer.status_code, answer.json()["type"]


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("bound", [LOCAL, ("localhost", "127.0.0.1"), ("::1", "::1"), ("box", "127.0.1.1")])
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:8000", "LOCALHOST", "[::1]:8000"])
def test_names_of_this_machine_are_answered(method, bound, host):
    assert status(bound, method=method, host=host) == (200, "")


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", "localhost@evil", "[::1]x", "", "127.0.0.1:x"],
)
def test_other_names_are_refused(method, host):
    assert status(LOCAL, method=method, host=host) == (421, "/docs#wrong-host")


def test_the_name_it_is_bound_to_is_answered():
    assert status(("box", "127.0.1.1"), host="box:8000") == (200, "")


@pytest.mark.parametrize(
    ("headers", "told"),
    [
        ({"origin": "http://127.0.0.1:8000"}, 200),
        ({"origin": "http://127.0.0.1:8000", "sec_fetch_site": "same-origin"}, 200),
        ({"sec_fetch_site": "none"}, 200),
        ({"origin": "http://127.0.0.1:3000", "sec_fetch_site": "same-site"}, 403),
        ({"origin": "http://localhost:8000"}, 403),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "http://[broken"}, 403),
        ({"origin": "null"}, 403),
        ({"sec_fetch_site": "cross-site"}, 403),
    ],
)
def test_pages_of_other_sites_may_not_post(headers, told):
    assert status(LOCAL, host="127.0.0.1:8000", **headers)[0] == told


def test_a_link_on_another_site_may_be_followed():
    assert status(LOCAL, method="GET", host="127.0.0.1:8000", sec_fetch_site="cross-site") == (200, "")


@pytest.mark.parametrize("bound", [(), ("0.0.0.0", "0.0.0.0"), ("192.168.1.5", "192.168.1.5")])
def test_elsewhere_any_name_is_answered_unless_some_are_stated(bound):
    assert status(bound, host="lions.example.org", origin="https://other.example") == (200, "")
    assert status(bound, "lions.example.org", host="other.example")[0] == 421
    assert status(bound, "lions.example.org", host="127.0.0.1:8000") == (200, "")  # a container's health check


def test_behind_a_proxy_the_stated_site_may_post_whatever_host_the_proxy_sends():
    stated, page = "a.example, lions.example.org:443", {"origin": "https://lions.example.org"}
    assert status(LOCAL, stated, host="lions.example.org", **page) == (200, "")
    assert status(LOCAL, stated, host="127.0.0.1:8000", **page) == (200, "")
    assert status(LOCAL, stated, host="127.0.0.1:8000", origin="https://evil.example")[0] == 403
    assert status(LOCAL, "*", host="any.example", origin="https://evil.example") == (200, "")


def test_hosts_come_from_the_environment_and_are_names():
    assert read_limits({}, {"METRICLOOP_SERVE_HOSTS": "a.example,[::1]"}).hosts == "a.example,[::1]"
    with pytest.raises(ValueError, match=r"METRICLOOP_SERVE_HOSTS: .*names that the server answers to"):
        read_limits({}, {"METRICLOOP_SERVE_HOSTS": "https://a.example/"})


def test_the_server_itself_checks(monkeypatch):
    from metricloop.serving import server

    made = []
    monkeypatch.setattr(server.uvicorn.Server, "run", lambda self, sockets: made.append(self.config.app))
    monkeypatch.setattr(server.signal, "signal", lambda *_: None)
    server.serve(FakeDetector(), port=0)
    with TestClient(made[0]) as client:
        assert client.get("/health", headers={"host": "evil.example"}).status_code == 421
        assert client.get("/health", headers={"host": "127.0.0.1:1"}).status_code == httpx.codes.OK
