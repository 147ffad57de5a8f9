"""Starting, asking and stopping the server of a bundle, with small servers in place of a real one."""

import sys

import numpy as np
import pytest

from metricloop.delivery.bundle_server import BundleServerError, Served, serving

SERVER = """
import json, signal, sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.answer(200, {{}})

    def do_POST(self):
        length = len(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["images"])
        good = self.path == "/predict?score=0.1&max=7" and length == 1
        found = [{{"box": [1, 2, 3, 4], "score": 0.5, "label": 0}}]
        self.answer(200 if good else 422, {{"pictures": [{{"detections": found}}]}})

    def answer(self, status, value):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass

server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
signal.signal(signal.SIGTERM, lambda *_: (print("stopping", flush=True), sys.exit({status})))
print("a warning of some library", flush=True)
print(f"ready on http://0.0.0.0:{{server.server_port}}; more", flush=True)
server.serve_forever()
"""


def command(status=0):
    return [sys.executable, "-c", SERVER.format(status=status)]


def test_a_server_is_asked_as_a_detector(tmp_path):
    pictures = [np.zeros((8, 9, 3), np.uint8)] * 6
    with serving(tmp_path, command()) as address:
        found = Served(address, {"score_threshold": 0.1, "max_detections": 7}).detect(pictures)
        with pytest.raises(BundleServerError, match="answered 422"):
            Served(address, {"score_threshold": 0.2, "max_detections": 7}).detect(pictures[:1])
    assert len(found) == 6
    assert (found[5].boxes.tolist(), found[5].scores.tolist(), found[5].labels.tolist()) == ([[1, 2, 3, 4]], [0.5], [0])


def test_a_server_that_stops_with_an_error_is_told_with_what_it_said(tmp_path):
    with pytest.raises(BundleServerError, match=r"ended with status 3: stopping"), serving(tmp_path, command(3)):
        pass


def test_what_goes_wrong_while_it_runs_comes_through(tmp_path):
    with pytest.raises(ZeroDivisionError), serving(tmp_path, command(3)):
        raise ZeroDivisionError


def test_a_server_that_does_not_start_is_told_with_what_it_said(tmp_path):
    silent = [sys.executable, "-c", "print('no such model')"]
    with pytest.raises(BundleServerError, match="did not start: no such model"), serving(tmp_path, silent):
        pass


def test_a_server_that_never_answers_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr("metricloop.delivery.bundle_server.SECONDS", 0.5)
    hanging = [sys.executable, "-c", "import time; time.sleep(600)"]
    with pytest.raises(BundleServerError, match="did not start"), serving(tmp_path, hanging):
        pass
