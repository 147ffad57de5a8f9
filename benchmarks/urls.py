"""What a picture costs that is fetched from an S3 server and ingested, against the same pictures in a folder.

    python -P benchmarks/urls.py COUNT FOLDER     # FOLDER: JPEGs, which are repeated until there are COUNT

Server (moto, one process) and client share this machine. Prints a line of Markdown: pictures, KB, ms a picture to
list, to fetch, of the client's CPU in that, and again; MB before and after; load.
"""

from __future__ import annotations

import itertools
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

KEYS = {"AWS_ACCESS_KEY_ID": "bench", "AWS_SECRET_ACCESS_KEY": "bench", "AWS_DEFAULT_REGION": "us-east-1"}


def main(count: int, folder: Path) -> None:
    pictures = [path.read_bytes() for path in sorted(folder.glob("*.jpg"))]
    with tempfile.TemporaryDirectory(prefix="url-bench-") as scratch, _Server(Path(scratch)) as port:
        os.environ |= KEYS | {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}", "METRICLOOP_CACHE": f"{scratch}/cache"}
        size = _fill(pictures, count, port)
        cold = _measured(scratch)
        warm = _measured(scratch)
    per = {"list": cold["listing"], "fetch": cold["reading"], "cpu": cold["cpu"], "again": warm["reading"]}
    spent = " | ".join(f"{seconds / count * 1e3:.2f}" for seconds in per.values())
    memory = f"{cold['before']:.0f} | {cold['memory']:.0f}"
    print(f"| {count:,} | {size / count / 1000:.0f} | {spent} | {memory} | {os.getloadavg()[0]:.1f} |")


class _Server:
    def __init__(self, scratch: Path) -> None:
        self.log = (scratch / "server.log").open("w")

    def __enter__(self) -> int:
        import socket

        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        command = [sys.executable, "-P", "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
        self.process = subprocess.Popen(command, stdout=self.log, stderr=self.log)
        for _ in range(600):
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return port
            except OSError:
                time.sleep(0.1)
        raise RuntimeError("the server does not start")

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()


def _fill(pictures: list[bytes], count: int, port: int) -> int:
    import boto3

    client = boto3.client("s3", endpoint_url=f"http://127.0.0.1:{port}")
    client.create_bucket(Bucket="bench")
    size = 0
    for number, data in zip(range(count), itertools.cycle(pictures), strict=False):
        data += number.to_bytes(4)  # behind the end of the JPEG: each has a hash of its own, and is stored once
        client.put_object(Bucket="bench", Key=f"set/images/{number:06}.jpg", Body=data)
        size += len(data)
    return size


def _measured(scratch: str) -> dict[str, float]:
    """Seconds of listing and of reading all pictures, of CPU for that, and the most memory, in a process of its own."""
    done = subprocess.run([sys.executable, "-P", __file__, "client"], capture_output=True, text=True, check=True)
    return {name: float(value) for name, value in (line.split("=") for line in done.stdout.splitlines())}


def client() -> None:
    from metricloop.data.formats import open_place
    from metricloop.data.formats.source import Record
    from metricloop.data.picture_check import check_pictures

    began = time.monotonic()
    place = open_place("s3://bench/set")
    files = place.pictures
    listed = time.monotonic()
    none = np.zeros((0, 4)), np.zeros(0, np.int64), np.zeros(0, bool)
    records = [Record(file, *none) for file in files]
    before, spent = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    _, facts = check_pictures(records, -1, lambda done, total: None, [])
    read, spent = time.monotonic(), time.process_time() - spent
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert len(facts) == len(files)
    print(
        f"listing={listed - began}\nreading={read - listed}\nmemory={after / 1024}\nbefore={before / 1024}\ncpu={spent}"
    )


if __name__ == "__main__":
    client() if sys.argv[1] == "client" else main(int(sys.argv[1]), Path(sys.argv[2]))
