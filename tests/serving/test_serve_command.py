"""`metricloop serve`: a promoted detector over HTTP, and what is typed wrongly."""

import signal
import subprocess
import sys

import cv2
import httpx
import numpy as np
import pytest
from detector_fixture import make_detector, picture
from running_server import wait_until

from metricloop.cli.main import main
from metricloop.delivery.torch_detector import load


def test_it_serves_what_the_detector_finds_until_ctrl_c(tmp_path):
    folder = make_detector(tmp_path / "detector")
    data = [cv2.imencode(".png", picture(48, 80, seed))[1].tobytes() for seed in range(3)]
    line = [sys.executable, "-P", "-m", "metricloop.cli", "serve", str(folder), "--port", "0", "--threads", "1",
            "--limits", "pictures=3", "seconds=60"]  # fmt: skip
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            address = process.stdout.readline().split(" on ")[1].split(";")[0]
            wait_until(lambda: httpx.get(f"{address}/ready").status_code == 200)
            sent = [("files", each) for each in data]
            answer = httpx.post(f"{address}/predict?score=0.02&max=300", files=sent, timeout=60)
            facts = httpx.get(f"{address}/metadata").json()
            refused = httpx.post(f"{address}/predict", files=[*sent, *sent], timeout=60)
        finally:
            process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=60)
    assert (output, errors, process.returncode) == ("the server has stopped\n", "", 0)
    assert (facts["arm"], facts["limits"]["pictures"], refused.status_code) == ("object_count", 3, 413)
    detector = load(folder, "cpu")
    alone = detector.detect([detector.read(each) for each in data])
    for found, shown in zip(alone, answer.json()["pictures"], strict=True):
        kept = found.scores >= 0.02
        np.testing.assert_allclose([each["score"] for each in shown["detections"]], found.scores[kept], atol=1e-5)
        np.testing.assert_allclose([each["box"] for each in shown["detections"]], found.boxes[kept], atol=2e-3)
    assert sum(len(found.scores) for found in alone) > 0


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--limits", "pixel=5"], "unknown limit pixel; did you mean pixels?"),
        (["--limits", "pictures=none"], "pictures: Input should be a valid integer"),
        ([], "give the folder of a promoted detector, or a workspace with one"),
    ],
)
def test_what_is_wrong_is_one_message(options, told, tmp_path, capsys):
    assert main(["serve", str(tmp_path), *options]) == 1
    assert told in capsys.readouterr().err
