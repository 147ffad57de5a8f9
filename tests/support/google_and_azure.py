"""Servers that answer as Google's and Azure's storages do, in a thread: each can be restarted and keeps what it holds.

Google's is the package gcp-storage-emulator. Azure's, Azurite, is no Python package, so the least that adlfs asks for
is played here: to list, to tell the properties of a blob, and to give its bytes.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from abc import ABC, abstractmethod
from collections import Counter
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit
from xml.sax.saxutils import escape

from lively_s3 import InThread

KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="  # that of Azurite


class Storage(InThread, ABC):
    """asked: how often each object's bytes were asked for. failing: so many requests are answered with `status` and
    `message`.
    """

    def __init__(self) -> None:
        self.asked, self.failing, self.status, self.message, self.port = Counter[str](), 0, 503, "Not now.", 0
        self.start()

    @abstractmethod
    def handler(self) -> Any:
        """What answers a request."""

    def start(self) -> None:
        """Listen, at the port of before."""
        self.serve(ThreadingHTTPServer(("127.0.0.1", self.port), self.handler()))

    def fails(self) -> bool:
        """Whether this request is to fail."""
        self.failing -= 1
        return self.failing >= 0


class Google(Storage):
    """Google's JSON API, in memory."""

    def __init__(self) -> None:
        from gcp_storage_emulator.storage import Storage as Objects

        self._objects = Objects(use_memory_fs=True)
        super().__init__()

    @property
    def variables(self) -> dict[str, str]:
        return {"STORAGE_EMULATOR_HOST": f"http://127.0.0.1:{self.port}"}

    def handler(self) -> Any:
        from gcp_storage_emulator.server import RequestHandler

        server = self

        class Handler(RequestHandler):
            def do_GET(self) -> None:  # noqa: N802
                if "alt=media" in self.path:
                    server.asked[unquote(self.path.partition("/o/")[2].partition("?")[0])] += 1
                if not server.fails():
                    return super().do_GET()
                told = json.dumps({"error": {"code": server.status, "message": server.message}}).encode()
                self.send_response(server.status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(told)))
                self.end_headers()
                self.wfile.write(told)

        return partial(Handler, self._objects)

    def bucket(self, name: str) -> None:
        from gcp_storage_emulator.handlers.buckets import create_bucket

        create_bucket(name, self._objects)

    def put(self, bucket: str, key: str, content: bytes) -> None:
        import requests

        place = f"{self.variables['STORAGE_EMULATOR_HOST']}/upload/storage/v1/b/{bucket}/o"
        facts = json.dumps({"name": key}).encode()  # in one request with the bytes, of which there may be none
        parts = [b"Content-Type: application/json", facts, b"Content-Type: application/octet-stream", content]
        body = b"--cut\r\n%s\r\n\r\n%s\r\n--cut\r\n%s\r\n\r\n%s\r\n--cut--\r\n" % tuple(parts)
        kind = {"Content-Type": "multipart/related; boundary=cut"}
        requests.post(place, params={"uploadType": "multipart"}, data=body, headers=kind).raise_for_status()

    def delete(self, bucket: str, key: str) -> None:
        import requests

        place = f"{self.variables['STORAGE_EMULATOR_HOST']}/storage/v1/b/{bucket}/o/{quote(key, safe='')}"
        requests.delete(place).raise_for_status()

    def fill(self, folder: Path, bucket: str, prefix: str) -> str:
        """Put the files of a folder into a new bucket; returns its URL."""
        return _filled(self, "gs", folder, bucket, prefix)


class Azure(Storage):
    """The requests of Azure's Blob service that adlfs makes when it reads; whoever signs them is let in."""

    def __init__(self) -> None:
        self.blobs: dict[str, dict[str, tuple[bytes, datetime, str]]] = {}
        super().__init__()

    @property
    def variables(self) -> dict[str, str]:
        place = f"http://127.0.0.1:{self.port}/lions"
        return {
            "AZURE_STORAGE_CONNECTION_STRING": f"DefaultEndpointsProtocol=http;AccountName=lions;AccountKey={KEY};"
            f"BlobEndpoint={place};"
        }

    def handler(self) -> Any:
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                place, query = urlsplit(self.path), parse_qs(urlsplit(self.path).query)
                _, _, container, *rest = unquote(place.path).split("/", 3)
                key = rest[0] if rest else ""
                if key and self.command == "GET":
                    server.asked[key] += 1
                if server.fails():
                    self._refuse(server.status, "ServerBusy" if server.status == 503 else "AuthorizationFailure")
                elif "Authorization" not in self.headers:
                    self._refuse(403, "AuthorizationFailure")
                elif container not in server.blobs:
                    self._refuse(404, "ContainerNotFound")
                elif not key:
                    self._tell(200, _listed(server.blobs[container], container, query), "application/xml")
                elif key not in server.blobs[container]:
                    self._refuse(404, "BlobNotFound")
                else:
                    self._give(*server.blobs[container][key])

            do_HEAD = do_GET  # noqa: N815

            def _give(self, content: bytes, changed: datetime, etag: str) -> None:
                own = {"ETag": f'"{etag}"', "Last-Modified": format_datetime(changed, usegmt=True),
                       "x-ms-blob-type": "BlockBlob", "Accept-Ranges": "bytes"}  # fmt: skip
                asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("x-ms-range", ""))
                if asked is None:
                    return self._tell(200, content, "image/jpeg", own)
                first, last = int(asked[1]), min(int(asked[2] or len(content)), len(content) - 1)
                if first >= len(content):
                    return self._refuse(416, "InvalidRange")
                own["Content-Range"] = f"bytes {first}-{last}/{len(content)}"
                return self._tell(206, content[first : last + 1], "image/jpeg", own)

            def _refuse(self, status: int, code: str) -> None:
                told = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{code} it is.</Message></Error>"
                self._tell(status, told.encode(), "application/xml", {"x-ms-error-code": code})

            def _tell(self, status: int, content: bytes, kind: str, more: dict[str, str] | None = None) -> None:
                self.send_response(status)
                own = {"Content-Type": kind, "Content-Length": str(len(content)), "x-ms-version": "2025-01-05"}
                for name, value in (own | (more or {})).items():
                    self.send_header(name, value)
                self.end_headers()
                if self.command == "GET":
                    self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                pass

        return Handler

    def bucket(self, name: str) -> None:
        self.blobs.setdefault(name, {})

    def put(self, bucket: str, key: str, content: bytes) -> None:
        now = datetime.now(UTC)
        self.blobs[bucket][key] = content, now, f"0x{int(now.timestamp() * 1e6):X}"

    def delete(self, bucket: str, key: str) -> None:
        del self.blobs[bucket][key]

    def fill(self, folder: Path, bucket: str, prefix: str) -> str:
        """Put the files of a folder into a new bucket; returns its URL."""
        return _filled(self, "az", folder, bucket, prefix)


def _listed(blobs: dict[str, tuple[bytes, datetime, str]], container: str, query: dict[str, list[str]]) -> bytes:
    """The names that begin with a prefix, in Azure's XML; those of folders where a delimiter is asked for."""
    prefix, delimiter = query.get("prefix", [""])[0], query.get("delimiter", [""])[0]
    folders, files = set(), []
    for key, (content, changed, etag) in sorted(blobs.items()):
        if not key.startswith(prefix):
            continue
        head, cut, _ = key[len(prefix) :].partition(delimiter) if delimiter else ("", "", "")
        if cut:
            folders.add(prefix + head + cut)
            continue
        md5 = base64.b64encode(hashlib.md5(content).digest()).decode()
        files.append(
            f"<Blob><Name>{escape(key)}</Name><Properties><Last-Modified>{format_datetime(changed, usegmt=True)}"
            f"</Last-Modified><Etag>{etag}</Etag><Content-Length>{len(content)}</Content-Length><Content-MD5>{md5}"
            "</Content-MD5><BlobType>BlockBlob</BlobType></Properties></Blob>"
        )
    prefixes = "".join(f"<BlobPrefix><Name>{escape(name)}</Name></BlobPrefix>" for name in sorted(folders))
    return (
        f'<?xml version="1.0" encoding="utf-8"?><EnumerationResults ContainerName="{container}"><Prefix>{prefix}'
        f"</Prefix><Blobs>{prefixes}{''.join(files)}</Blobs><NextMarker /></EnumerationResults>"
    ).encode()


def _filled(storage: Google | Azure, scheme: str, folder: Path, bucket: str, prefix: str) -> str:
    storage.bucket(bucket)
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            storage.put(bucket, f"{prefix}/{path.relative_to(folder).as_posix()}".lstrip("/"), path.read_bytes())
    return f"{scheme}://{bucket}/{prefix}"
