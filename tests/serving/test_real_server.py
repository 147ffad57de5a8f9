"""The server on a real port: slow and endless uploads, broken connections, overload, batching, and its end."""

import signal
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from fake_detector import FakeDetector, png
from fastapi.testclient import TestClient
from hostile_uploads import form, part
from running_server import answer_in, connect, first_answer, received, running, wait_until

from metricloop.data.pictures import decode
from metricloop.serving.app import create_app
from metricloop.serving.limits import Limits
from metricloop.serving.server import open_port

UPLOAD = form(part(png()))
HEAD = f"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: {UPLOAD['headers']['Content-Type']}\r\n"


def request_bytes(more: str = "") -> bytes:
    return f"{HEAD}{more}Content-Length: {len(UPLOAD['body'])}\r\n\r\n".encode() + UPLOAD["body"]


def gauge(port: int, name: str) -> float:
    lines = httpx.get(f"http://127.0.0.1:{port}/metrics").text.splitlines()
    return float(next(line for line in lines if line.startswith(f"{name} ")).split()[1])


def test_thirty_two_clients_get_what_the_detector_finds_alone_and_are_detected_in_batches():
    detector, limits = FakeDetector(seconds=0.01), Limits(batch=8)
    pictures = [png(20 + n, 30, seed=n) for n in range(64)]
    with running(create_app(detector, limits), limits) as port:
        wait_until(lambda: detector.batches)  # warmed up
        detector.batches.clear()

        def ask(data: bytes) -> dict:
            answer = httpx.post(f"http://127.0.0.1:{port}/predict?score=0.05", files={"files": data}, timeout=60)
            assert answer.status_code == 200
            return answer.json()["pictures"][0]

        with ThreadPoolExecutor(32) as clients:
            answers = list(clients.map(ask, pictures))
    for data, answer in zip(pictures, answers, strict=True):
        alone = detector.found(decode(data))
        assert [each["box"] for each in answer["detections"]] == [
            [round(x, 3) for x in b] for b in alone.boxes.tolist()
        ]
        assert [each["name"] for each in answer["detections"]] == ["panda", "koala", "panda"]
        assert (answer["width"], answer["height"]) == (decode(data).shape[1], 30)
    assert sum(detector.batches) == 64
    assert 1 < max(detector.batches) <= 8
    assert len(detector.batches) < 40


@pytest.mark.parametrize("sent", [b"", b"POST /pre", HEAD.encode()], ids=["nothing", "half a line", "half a header"])
def test_a_slow_header_is_refused(sent):
    limits = Limits(seconds=0.3)
    with running(create_app(FakeDetector(), limits), limits) as port, connect(port) as connection:
        connection.sendall(sent)
        status, headers, problem = answer_in(received(connection))
    assert (status, problem["type"]) == (408, "/docs#too-slow")
    assert headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("chunked", [False, True])
def test_a_slow_body_is_refused(chunked):
    limits = Limits(seconds=0.3)
    more = "Transfer-Encoding: chunked" if chunked else "Content-Length: 100000"
    with running(create_app(FakeDetector(), limits), limits) as port, connect(port) as connection:
        connection.sendall(f"{HEAD}{more}\r\n\r\n".encode() + (b"5\r\n--x-b\r\n" if chunked else b"--x-b"))
        status, headers, problem = answer_in(received(connection))
        assert gauge(port, "metricloop_requests_waiting") == 0
    assert (status, problem["type"], headers["connection"]) == (408, "/docs#too-slow", "close")


def test_a_body_without_a_length_is_refused_at_its_limit_and_its_sender_cut_off():
    limits = Limits(request_bytes=100_000, seconds=0.5)
    with running(create_app(FakeDetector(), limits), limits) as port, connect(port) as connection:
        connection.sendall(f"{HEAD}Transfer-Encoding: chunked\r\n\r\n".encode())
        piece = b"8000\r\n" + bytes(0x8000) + b"\r\n"
        connection.sendall(b"%x\r\n" % len(UPLOAD["body"][:150]) + UPLOAD["body"][:150] + b"\r\n" + 4 * piece)
        status, _, problem = answer_in(first_answer(connection))
        assert (status, problem["type"]) == (413, "/docs#too-many-bytes")
        with pytest.raises(OSError):  # what it still sends is thrown away, but not for ever
            connection.sendall(piece * 100_000)


def test_a_length_over_the_limit_is_refused_before_the_body():
    limits = Limits(request_bytes=100_000)
    with running(create_app(FakeDetector(), limits), limits) as port, connect(port) as connection:
        connection.sendall(f"{HEAD}Content-Length: 99999999999999999999\r\nExpect: 100-continue\r\n\r\n".encode())
        status, _, problem = answer_in(first_answer(connection))
    assert (status, problem["type"]) == (413, "/docs#too-many-bytes")


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",  # TLS
        b"GET / HTTP/1.1\r\n\r\n",  # without a host
        b"GET /\x01 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n",
        b"POST /predict HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 20_000,  # a header without an end
    ],
)
def test_what_is_not_http_is_refused(sent):
    limits = Limits()
    with running(create_app(FakeDetector(), limits), limits) as port, connect(port) as connection:
        connection.sendall(sent)
        status, headers, problem = answer_in(received(connection))
    assert 400 <= status < 500
    assert headers["content-type"] == "application/problem+json"
    assert problem["status"] == status


def test_a_broken_chunk_does_not_stop_the_server(caplog):
    limits = Limits()
    with running(create_app(FakeDetector(), limits), limits) as port:
        with connect(port) as connection:
            connection.sendall(f"{HEAD}Transfer-Encoding: chunked\r\n\r\nzz\r\n".encode())
            assert answer_in(received(connection))[0] == 400
        assert httpx.get(f"http://127.0.0.1:{port}/health").status_code == 200
    assert "Exception" not in caplog.text


def test_who_leaves_in_the_middle_of_an_upload_holds_nothing():
    limits = Limits(held_bytes=10_000)
    with running(create_app(FakeDetector(), limits), limits) as port:
        for _ in range(20):
            with connect(port) as connection:
                connection.sendall(request_bytes()[:-100])
        wait_until(lambda: gauge(port, "metricloop_requests_waiting") == 0)
        with connect(port) as connection:
            connection.sendall(request_bytes("Connection: close\r\n"))
            assert answer_in(received(connection))[0] == 200


def test_pictures_of_who_has_left_are_not_detected(caplog):
    detector, limits = FakeDetector(), Limits(batch=1)
    app = create_app(detector, limits)
    with running(app, limits) as port:
        wait_until(lambda: detector.batches)
        detector.go.clear()
        for _ in range(12):  # more than the detector and the batch after it hold
            with connect(port) as connection:
                connection.sendall(request_bytes())
                wait_until(lambda: gauge(port, "metricloop_requests_waiting") > 0)
        wait_until(lambda: gauge(port, "metricloop_requests_waiting") == 0)
        detector.go.set()
        answer = httpx.post(f"http://127.0.0.1:{port}/predict", files={"files": png()})
    assert answer.status_code == 200
    assert caplog.text == ""
    assert len(detector.batches) <= 1 + 1 + 1  # the warm-up, the picture that is being detected on, and the last


def test_too_many_requests_are_sent_away_and_may_come_back():
    detector, limits = FakeDetector(), Limits(waiting=2)
    with running(create_app(detector, limits), limits) as port:
        wait_until(lambda: detector.batches)
        detector.go.clear()

        def ask() -> httpx.Response:
            return httpx.post(f"http://127.0.0.1:{port}/predict", files={"files": png()}, timeout=60)

        with ThreadPoolExecutor(2) as clients:
            first = [clients.submit(ask) for _ in range(2)]
            wait_until(lambda: gauge(port, "metricloop_requests_waiting") == 2)
            refused = ask()
            detector.go.set()
            assert [each.result().status_code for each in first] == [200, 200]
        assert ask().status_code == 200
    assert (refused.status_code, refused.json()["type"]) == (503, "/docs#busy")
    assert int(refused.headers["retry-after"]) >= 1


def test_a_detector_that_takes_too_long_is_not_waited_for():
    detector, limits = FakeDetector(), Limits(seconds=0.3)
    with running(create_app(detector, limits), limits) as port:
        wait_until(lambda: detector.batches)
        detector.go.clear()
        answer = httpx.post(f"http://127.0.0.1:{port}/predict", files={"files": png()}, timeout=60)
        detector.go.set()
    assert (answer.status_code, answer.json()["type"]) == (503, "/docs#busy")
    assert "retry-after" in answer.headers


def test_uploads_do_not_fill_the_memory():
    limits = Limits(held_bytes=1000)
    with TestClient(create_app(FakeDetector(), limits)) as client:
        answer = client.post("/predict", files={"files": png(60, 60)})
        assert (answer.status_code, answer.json()["type"]) == (503, "/docs#busy")
        assert client.post("/predict", files={"files": png(8, 8)}).status_code == 200


def test_answers_are_not_held_back_by_nagles_algorithm():
    with open_port("127.0.0.1", 0) as listener:
        assert listener.proto == socket.IPPROTO_TCP  # by which asyncio knows that it may turn it off


SERVE = """
import sys
sys.path.insert(0, sys.argv[1])
from fake_detector import FakeDetector
from metricloop.serving.server import serve
serve(FakeDetector(), port=int(sys.argv[2]))
"""


def start(port: int) -> subprocess.Popen:
    support = Path(__file__).parents[1] / "support"
    return subprocess.Popen(
        [sys.executable, "-P", "-c", SERVE, str(support), str(port)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_stops_in_a_sentence(number):
    with start(0) as process:
        line = process.stdout.readline()
        assert line.startswith("Detector pandas 3 on http://127.0.0.1:")
        port = int(line.split("127.0.0.1:")[1].split(";")[0])
        wait_until(lambda: reachable(port))
        process.send_signal(number)
        output, errors = process.communicate(timeout=30)
    assert (output, errors) == ("the server has stopped\n", "")
    assert process.returncode == 0


def reachable(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/health").status_code == 200
    except httpx.TransportError:
        return False


def test_a_taken_port_is_told():
    limits = Limits()
    with running(create_app(FakeDetector(), limits), limits) as port, start(port) as process:
        _, errors = process.communicate(timeout=30)
    assert f"port {port} of 127.0.0.1 is taken; choose another with --port" in errors
    assert threading.active_count() < 50
