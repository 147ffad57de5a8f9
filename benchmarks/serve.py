"""Load test of the server on loopback against calling the detector directly, and the answers to hostile uploads.

python -P benchmarks/serve.py DETECTOR=PICTURES... > benchmarks/results/serve.md

DETECTOR is a detector folder and PICTURES a folder of JPEGs or PNGs for it. Two processes hold the detector: one that
calls it directly (read and detect, 1 or 8 at a time), and the server. In each round they are measured in turn, a few
seconds each, the server with 1, 8 and 32 clients that each send one picture after the other over one connection; ratios
are taken within a round, because the speed of a shared machine changes. The clients are one thread of this process and
use the same cores as the server: their CPU time is in the table.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import selectors
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from itertools import cycle, islice
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import numpy as np

CLIENTS = (1, 8, 32)
BATCHES = (1, 8)  # pictures per call of the detector itself
PICTURES = 200
HERE = Path(__file__)
TICKS = os.sysconf("SC_CLK_TCK")
HEADER = (
    "POST /predict?score=0.05 HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=edge\r\n"
    "Content-Length: {}\r\n\r\n"
)


@dataclass
class Load:
    """What clients saw: seconds of each answer, and the answers that were none."""

    seconds: float = 0.0
    times: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    answers: dict[int, bytes] = field(default_factory=dict)
    server_cpu: float = 0.0
    client_cpu: float = 0.0
    batch_size: float = 0.0

    @property
    def rate(self) -> float:
        return len(self.times) / self.seconds


def pictures_of(folder: str) -> list[bytes]:
    files = sorted(path for path in Path(folder).iterdir() if path.suffix in (".jpg", ".png"))
    return [path.read_bytes() for path in files[:PICTURES]]


def direct(detector_folder: str, pictures_folder: str, seconds: float, threads: int | None) -> None:
    """What the process does that calls the detector itself: prints a line of what it finds on every picture, then, for
    each number that it reads, the pictures per second and the CPU ms per picture with batches of that size.
    """
    from metricloop.delivery.torch_detector import load

    detector, pictures = load(detector_folder, threads=threads), pictures_of(pictures_folder)
    found = [detector.detect([detector.read(data)])[0] for data in pictures]
    print(json.dumps([[one.scores.tolist(), one.boxes.tolist()] for one in found]), flush=True)
    turn = cycle(pictures)
    for line in sys.stdin:
        batch, done = int(line), 0
        detector.detect([detector.read(data) for data in islice(turn, batch)])  # wakes its threads
        began, cpu = time.perf_counter(), time.process_time()
        while time.perf_counter() - began < seconds:
            detector.detect([detector.read(data) for data in islice(turn, batch)])
            done += batch
        spent = time.process_time() - cpu
        print(json.dumps({"rate": done / (time.perf_counter() - began), "cpu": 1000 * spent / done}), flush=True)


class Alone:
    """The process that calls the detector itself. found: what it finds on every picture."""

    def __init__(self, pair: str, seconds: float, threads: list[str]) -> None:
        line = [sys.executable, "-P", str(HERE), "--direct", pair, "--seconds", str(seconds), *threads]
        self.process = subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.found = self._said()

    def _said(self) -> Any:
        assert self.process.stdout
        return json.loads(self.process.stdout.readline())

    def speed(self, batch: int) -> dict[str, float]:
        assert self.process.stdin
        print(batch, file=self.process.stdin, flush=True)
        return self._said()

    def stop(self) -> None:
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait()


@contextmanager
def server(detector_folder: str, options: list[str]) -> Iterator[tuple[int, int]]:
    """(process id, port) of a server that is ready."""
    line = [sys.executable, "-P", "-m", "metricloop.cli", "serve", detector_folder, "--port", "0", *options]
    with subprocess.Popen(line, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            port = int(process.stdout.readline().split("127.0.0.1:")[1].split(";")[0])
            while not answers(port, "/ready"):
                time.sleep(0.05)
            yield process.pid, port
        finally:
            process.terminate()


def answers(port: int, path: str) -> str:
    """The body at a path, "" while it is refused."""
    try:
        with urlopen(f"http://127.0.0.1:{port}{path}", timeout=60) as answer:
            return answer.read().decode()
    except OSError:
        return ""


def cpu_of(process: int) -> float:
    """Seconds of CPU that a process has used."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def batches_of(port: int) -> tuple[float, float]:
    """(pictures, batches) that the server has counted."""
    values = dict(line.rsplit(" ", 1) for line in answers(port, "/metrics").splitlines() if not line.startswith("#"))
    return float(values["metricloop_batch_size_sum"]), float(values["metricloop_batch_size_count"])


def request(data: bytes) -> bytes:
    body = (
        b'--edge\r\nContent-Disposition: form-data; name="files"; filename="a.jpg"\r\n\r\n' + data + b"\r\n--edge--\r\n"
    )
    return HEADER.format(len(body)).encode() + body


def load_test(process: int, port: int, requests: list[bytes], clients: int, seconds: float) -> Load:
    """`clients` connections, each with one request under way at a time, for some seconds."""
    load = Load()
    turn = cycle(enumerate(requests))
    selector = selectors.DefaultSelector()
    state: dict[socket.socket, tuple[int, float, bytes]] = {}

    def send(connection: socket.socket) -> None:
        number, data = next(turn)
        state[connection] = (number, time.perf_counter(), b"")
        connection.sendall(data)

    for _ in range(clients):
        connection = socket.create_connection(("127.0.0.1", port), timeout=60)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        selector.register(connection, selectors.EVENT_READ)
        send(connection)
    before, cpu, own, began = batches_of(port), cpu_of(process), time.process_time(), time.perf_counter()
    until = began + seconds
    while time.perf_counter() < until:
        for key, _ in selector.select(1):
            connection = key.fileobj
            assert isinstance(connection, socket.socket)
            number, sent, data = state[connection]
            data += connection.recv(65536)
            state[connection] = (number, sent, data)
            head, edge, body = data.partition(b"\r\n\r\n")
            if not edge or len(body) < int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0]):
                continue
            load.times.append(time.perf_counter() - sent)
            if head.startswith(b"HTTP/1.1 200 "):
                load.answers[number] = body
            else:
                load.errors.append(data.decode())
            send(connection)
    load.seconds = time.perf_counter() - began
    load.client_cpu, load.server_cpu = time.process_time() - own, cpu_of(process) - cpu
    pictures, batches = np.subtract(batches_of(port), before)
    load.batch_size = pictures / batches
    for connection in state:
        connection.close()
    return load


def difference(load: Load, found: list) -> tuple[float, float]:
    """The greatest difference between answers and the detector alone: of a score, and of a side in pixels."""
    score = side = 0.0
    for number, body in load.answers.items():
        detections = json.loads(body)["pictures"][0]["detections"]
        scores, boxes = found[number]
        expected = [(one, box) for one, box in zip(scores, boxes, strict=True) if one >= 0.05]
        assert abs(len(expected) - len(detections)) <= 1, (number, len(expected), len(detections))
        for (one, box), answer in zip(expected, detections, strict=False):
            score = max(score, abs(one - answer["score"]))
            side = max(side, *(abs(a - b) for a, b in zip(box, answer["box"], strict=True)))
    return score, side


def measure(pair: str, rounds: int, seconds: float, threads: list[str]) -> str:
    """The section of one detector."""
    detector_folder, pictures_folder = pair.split("=")
    pictures = pictures_of(pictures_folder)
    requests = [request(data) for data in pictures]
    speeds: dict[int, list[dict[str, float]]] = {batch: [] for batch in BATCHES}
    loads: dict[int, list[Load]] = {clients: [] for clients in CLIENTS}
    alone = Alone(pair, seconds, threads)
    worst = (0.0, 0.0)
    with server(detector_folder, threads) as (process, port):
        load_test(process, port, requests, 8, seconds)  # the first batches of each size take longer
        for _ in range(rounds):
            for batch in BATCHES:
                speeds[batch].append(alone.speed(batch))
            for clients in CLIENTS:
                load = load_test(process, port, requests, clients, seconds)
                loads[clients].append(load)
                worst = tuple(map(max, worst, difference(load, alone.found)))
    alone.stop()
    facts = json.loads((Path(detector_folder) / "detector.json").read_text())
    kilobytes = statistics.mean(map(len, pictures)) / 1024
    lines = [
        f"## {facts['name']}: {facts['architecture']} at {facts['image_size']} px, files of {kilobytes:.0f} kB",
        "",
        "| | pictures/s | lowest, highest | of direct | p50 ms | p99 ms | batch | CPU ms | clients' CPU ms | errors |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for batch in BATCHES:
        rates = [speed["rate"] for speed in speeds[batch]]
        cpu = statistics.median(speed["cpu"] for speed in speeds[batch])
        lines.append(f"| direct, {batch} at a time | {spread(rates)} | | | | {batch} | {cpu:.1f} | | |")
    for clients in CLIENTS:
        each = loads[clients]
        own = speeds[BATCHES[0] if clients == 1 else BATCHES[1]]
        share = statistics.median(load.rate / speed["rate"] for load, speed in zip(each, own, strict=True))
        times = np.concatenate([load.times for load in each]) * 1000
        count = [len(load.times) for load in each]
        server_cpu = 1000 * statistics.median(load.server_cpu / n for load, n in zip(each, count, strict=True))
        client_cpu = 1000 * statistics.median(load.client_cpu / n for load, n in zip(each, count, strict=True))
        lines.append(
            f"| {clients} client{'s' * (clients > 1)} | {spread([load.rate for load in each])} | {share:.0%} "
            f"| {np.percentile(times, 50):.1f} | {np.percentile(times, 99):.1f} "
            f"| {statistics.mean(load.batch_size for load in each):.1f} | {server_cpu:.1f} | {client_cpu:.2f} "
            f"| {sum(len(load.errors) for load in each)} of {sum(count)} |"
        )
    return "\n".join(
        [
            *lines,
            "",
            f"Against the detector alone, scores differ by at most {worst[0]:.1g} and sides by {worst[1]:.1g} px.",
        ]
    )


def spread(rates: list[float]) -> str:
    return f"{statistics.median(rates):.0f} | {min(rates):.0f}, {max(rates):.0f}"


def hostile() -> str:
    """A table of what the tests' hostile uploads are answered by a server on a real port."""
    sys.path.insert(0, str(HERE.resolve().parents[1] / "tests/support"))
    import httpx
    from fake_detector import FakeDetector
    from hostile_uploads import LIMITS, UPLOADS
    from running_server import running

    from metricloop.serving.app import create_app
    from metricloop.serving.limits import Limits

    limits = Limits(**LIMITS)
    lines = ["| upload | status | problem | ms |", "|---|---:|---|---:|"]
    with running(create_app(FakeDetector(), limits), limits) as port, httpx.Client(timeout=30) as client:
        for upload in UPLOADS:
            began = time.perf_counter()
            answer = client.request(
                upload.method, f"http://127.0.0.1:{port}{upload.path}", content=upload.body, headers=upload.headers
            )
            spent = 1000 * (time.perf_counter() - began)
            kind = answer.json()["type"].removeprefix("/docs#")
            lines.append(f"| {upload.name} | {answer.status_code} | {kind} | {spent:.0f} |".replace("<", "&lt;"))
    return "\n".join(lines)


def processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pairs", nargs="*", metavar="DETECTOR=PICTURES")
    parser.add_argument("--seconds", type=float, default=2, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--direct", metavar="DETECTOR=PICTURES", help="measure the detector alone, and print JSON")
    parser.add_argument("--threads", type=int, help="of the detector, in both processes; by default all cores")
    asked = parser.parse_args()
    if asked.direct:
        direct(*asked.direct.split("="), asked.seconds, asked.threads)
        return
    threads = ["--threads", str(asked.threads)] if asked.threads else []
    load = f"{os.getloadavg()[0]:.1f}"
    sections = [measure(pair, asked.rounds, asked.seconds, threads) for pair in asked.pairs]
    print(
        TEXT.format(
            day=date.today(),
            cores=os.cpu_count(),
            processor=processor(),
            python=platform.python_version(),
            threads=" ".join(threads),
            rounds=asked.rounds,
            seconds=asked.seconds,
            load=load,
            sections="\n\n".join(sections),
            hostile=hostile(),
        )
    )


TEXT = """# The server under load

`python -P benchmarks/serve.py DETECTOR=PICTURES... {threads}`, {day}, {cores} cores ({processor}), Python {python}.

{rounds} rounds; in each, everything is measured in turn for {seconds:g} s. Rates and CPU are medians over the rounds,
ratios are taken within a round, latencies are over all rounds. "direct": the detector in a process of its own, reading
and detecting 1 or 8 pictures at a time. Clients send one picture per request over a connection that stays open, and the
next one when the answer is there; 1 client is compared with direct, 1 at a time, the others with direct, 8 at a time.
The clients run on the same cores as the server and take their share of them. CPU is per picture. Every answer is
compared with what the detector finds alone. Other jobs at the start: load average {load}.

{sections}

## Hostile uploads

A server with small limits on a real port. The tests send the same (`tests/serving/test_hostile_uploads.py`), and slow,
endless and broken uploads (`tests/serving/test_real_server.py`).

{hostile}
"""

if __name__ == "__main__":
    main()
