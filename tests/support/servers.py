"""Servers on this machine's loopback that play those of a cluster: Postgres, S3, MLflow, Prefect and its workers."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

BIN = Path(sys.executable).parent
NOBODY = 65534
KEYS = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "hidden-secret", "AWS_DEFAULT_REGION": "us-east-1"}
PATIENCE = 240.0  # s until a server answers, on a loaded machine


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def wait_for(port: int, process: subprocess.Popen | None = None, log: Path | None = None) -> None:
    """Wait until somebody listens at a port."""
    until = time.monotonic() + PATIENCE
    while True:
        with suppress(OSError):
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        assert process is None or process.poll() is None, log.read_text()[-3000:] if log else "it ended"
        assert time.monotonic() < until, "nobody listens"
        time.sleep(0.1)


@contextmanager
def started(command: list[str], log: Path, environment: Mapping[str, str] | None = None, **options) -> Iterator:
    """A process in a group of its own, killed at the end."""
    with log.open("a") as stream:
        process = subprocess.Popen(
            command, env=environment, stdout=stream, stderr=stream, start_new_session=True, **options
        )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


class Postgres:
    """A Postgres server with databases of its own; `restart` stops it at once and starts it again."""

    def __init__(self) -> None:
        if any(shutil.which(name) is None for name in ("initdb", "pg_ctl", "postgres")):
            pytest.skip("Postgres is not installed here (initdb, pg_ctl, postgres)")
        self.port = free_port()
        self.folder = Path(tempfile.mkdtemp(prefix="metricloop-postgres-"))
        self._as = {"user": NOBODY, "group": NOBODY} if os.getuid() == 0 else {}  # it refuses to run as root
        if self._as:
            os.chown(self.folder, NOBODY, NOBODY)
        self._call("initdb", "-D", str(self.folder / "data"), "-U", "postgres", "-A", "trust", "--no-sync")
        self.start()

    def _call(self, *command: str) -> None:
        done = subprocess.run(command, cwd="/", capture_output=True, text=True, check=False, **self._as)
        assert done.returncode == 0, done.stdout + done.stderr

    def start(self) -> None:
        options = f"-p {self.port} -h 127.0.0.1 -k {self.folder} -F -c max_connections=200"
        log = str(self.folder / "log")
        command = ["pg_ctl", "-D", str(self.folder / "data"), "-l", log, "-o", options, "-w", "-t", "120", "start"]
        nothing = subprocess.DEVNULL
        assert subprocess.run(command, cwd="/", stdout=nothing, stderr=nothing, check=False, **self._as).returncode == 0

    def stop(self) -> None:
        self._call("pg_ctl", "-D", str(self.folder / "data"), "-m", "immediate", "-w", "stop")

    def database(self, name: str) -> str:
        """Make a database; returns its address without a driver, postgresql://..."""
        psycopg = pytest.importorskip("psycopg")

        place = f"host=127.0.0.1 port={self.port} user=postgres dbname=postgres"
        with psycopg.connect(place, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return f"postgresql://postgres@127.0.0.1:{self.port}/{name}"


@contextmanager
def postgres() -> Iterator[Postgres]:
    server = Postgres()
    try:
        yield server
    finally:
        with suppress(AssertionError):
            server.stop()
        shutil.rmtree(server.folder, ignore_errors=True)


class Gate:
    """A port in front of a server, which can be closed and opened: the server with its data as if it were restarted."""

    def __init__(self, target: int) -> None:
        self.target, self.port = target, free_port()
        self._open: list[socket.socket] = []
        self._door: socket.socket | None = None
        self.open()

    def open(self) -> None:
        self._door = socket.create_server(("127.0.0.1", self.port), backlog=128)
        threading.Thread(target=self._serve, args=[self._door], daemon=True).start()

    def close(self) -> None:
        assert self._door is not None
        self._door.shutdown(socket.SHUT_RDWR)
        self._door.close()
        for one in self._open:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        self._open.clear()

    def _serve(self, door: socket.socket) -> None:
        with suppress(OSError):
            while True:
                outside, _ = door.accept()
                inside = socket.create_connection(("127.0.0.1", self.target))
                self._open += [outside, inside]
                for source, sink in ((outside, inside), (inside, outside)):
                    threading.Thread(target=_copy, args=[source, sink], daemon=True).start()


def _copy(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(1 << 16):
            sink.sendall(data)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


@contextmanager
def s3(folder: Path, *buckets: str) -> Iterator[tuple[Gate, dict[str, str]]]:
    """An S3 server with buckets; yields its gate and the variables with which it is reached."""
    for module in ("moto", "dvc_s3", "git_remote_s3"):
        pytest.importorskip(module)
    import boto3

    port = free_port()
    command = [sys.executable, "-P", "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with started(command, folder / "s3.log") as process:
        wait_for(port, process, folder / "s3.log")
        gate = Gate(port)
        variables = {**KEYS, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{gate.port}"}
        client = boto3.client(
            "s3", endpoint_url=f"http://127.0.0.1:{port}", region_name="us-east-1",
            aws_access_key_id="testing", aws_secret_access_key="testing",
        )  # fmt: skip
        for bucket in buckets:
            client.create_bucket(Bucket=bucket)
        yield gate, variables
        gate.close()


@contextmanager
def mlflow(folder: Path, database: str, bucket: str, variables: Mapping[str, str]) -> Iterator[str]:
    """An MLflow server with its runs in a database and its files in a bucket; yields its address."""
    port = free_port()
    command = [str(BIN / "mlflow"), "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1",
               "--backend-store-uri", database, "--artifacts-destination", f"s3://{bucket}"]  # fmt: skip
    own = {name: value for name, value in os.environ.items() if name != "MLFLOW_TRACKING_URI"}
    with started(command, folder / "mlflow.log", {**own, **variables}) as process:
        wait_for(port, process, folder / "mlflow.log")
        yield f"http://127.0.0.1:{port}"


@contextmanager
def prefect_server(folder: Path, database: str = "") -> Iterator[dict[str, str]]:
    """A Prefect server; yields the environment of its clients. database: of Postgres, else a file of its own."""
    port = free_port()
    environment = os.environ | {
        "PREFECT_HOME": str(folder / "prefect"),
        "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        "COLUMNS": "200",  # else long names are cut
    }
    place = database.replace("postgresql://", "postgresql+asyncpg://")
    own = {**environment, "PREFECT_API_DATABASE_CONNECTION_URL": place} if place else environment
    command = [str(BIN / "prefect"), "server", "start", "--port", str(port), "--no-ui"]
    with started(command, folder / "prefect.log", own) as process:
        wait_for(port, process, folder / "prefect.log")
        yield environment


def prefect(environment: Mapping[str, str], *arguments: str, seconds: float = 500) -> str:
    """What a command of Prefect prints; it has to succeed."""
    done = subprocess.run(
        [str(BIN / "prefect"), "--no-prompt", *arguments], env=environment, cwd="/",
        capture_output=True, text=True, check=False, timeout=seconds,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@contextmanager
def worker(folder: Path, environment: Mapping[str, str], pool: str, name: str) -> Iterator[subprocess.Popen]:
    """A worker of Prefect with a folder of its own for workspaces, as on a machine of its own."""
    (folder / name).mkdir()
    own = {**environment, "METRICLOOP_WORKSPACES": str(folder / name), "PREFECT_WORKER_QUERY_SECONDS": "1"}
    command = [str(BIN / "prefect"), "worker", "start", "--pool", pool, "--name", name, "--limit", "1"]
    with started(command, folder / f"{name}.log", own, cwd="/") as process:
        yield process


def kill_machine(process: subprocess.Popen) -> None:
    """Kill a worker and what it has started with -9, but no training: that has to end by itself."""
    parents = {}
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    killed = [process.pid]
    for pid in killed:
        killed += [child for child, parent in parents.items() if parent == pid]
    for pid in killed:
        with suppress(OSError):
            if b"metricloop.tasks" not in Path(f"/proc/{pid}/cmdline").read_bytes():
                os.kill(pid, signal.SIGKILL)
