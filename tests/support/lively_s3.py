"""An S3 server (moto) in a thread: it can be restarted and keeps what it holds, and it can be too busy now and then."""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

KEYS = {"AWS_ACCESS_KEY_ID": "AKIATESTING", "AWS_SECRET_ACCESS_KEY": "hidden-secret", "AWS_DEFAULT_REGION": "us-east-1"}
BUSY = b"<?xml version='1.0'?><Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"


class InThread:
    """A server in a thread, which can be stopped. `_server` is what `serve` was given."""

    def serve(self, server: Any) -> None:
        """Listen."""
        self._server, self.port = server, server.server_port
        self._thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        self._thread.start()

    def stop(self) -> None:
        """Nobody listens any more; what is stored stays."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class LivelyS3(InThread):
    """asked: how often each key was asked for. busy_every: so many requests for a key are answered, one is not."""

    def __init__(self) -> None:
        from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

        self.asked, self.busy_every, self._count, self.port = Counter[str](), 0, 0, 0
        self._whole = DomainDispatcherApplication(create_backend_app)
        self.start()

    @property
    def variables(self) -> dict[str, str]:
        """The environment in which the server is found."""
        return KEYS | {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.port}"}

    def start(self) -> None:
        """Listen, at the port of before."""
        from moto.moto_server.werkzeug_app import MotoRequestHandler
        from werkzeug.serving import make_server

        self.serve(make_server("127.0.0.1", self.port, self._answer, True, request_handler=MotoRequestHandler))

    def _answer(self, environ: dict[str, Any], begin: Any) -> Any:
        if environ["REQUEST_METHOD"] == "GET" and "list-type" not in environ["QUERY_STRING"]:
            self.asked[environ["PATH_INFO"].split("/", 2)[-1]] += 1
            self._count += 1
            if self.busy_every and self._count % self.busy_every == 0:
                begin("503 Slow Down", [("Content-Type", "application/xml"), ("Content-Length", str(len(BUSY)))])
                return [BUSY]
        return self._whole(environ, begin)

    def client(self) -> Any:
        import boto3

        return boto3.client(
            "s3",
            endpoint_url=f"http://127.0.0.1:{self.port}",
            region_name=KEYS["AWS_DEFAULT_REGION"],
            aws_access_key_id=KEYS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=KEYS["AWS_SECRET_ACCESS_KEY"],
        )

    def fill(self, folder: Path, bucket: str, prefix: str) -> str:
        """Put the files of a folder into a bucket; returns its URL."""
        client = self.client()
        client.create_bucket(Bucket=bucket)
        for path in folder.rglob("*"):
            if path.is_file():
                client.put_object(Bucket=bucket, Key=f"{prefix}/{path.relative_to(folder)}", Body=path.read_bytes())
        return f"s3://{bucket}/{prefix}"


@contextmanager
def lively_s3() -> Iterator[LivelyS3]:
    """A server that nobody else uses, found by this process and those that it starts."""
    server = LivelyS3()
    before = {name: os.environ.get(name) for name in server.variables}
    os.environ.update(server.variables)
    try:
        yield server
    finally:
        server.stop()
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
