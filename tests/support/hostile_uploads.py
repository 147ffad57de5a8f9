"""Uploads that a server must refuse: broken, oversized, mislabelled and malicious ones, with the answer to each."""

from __future__ import annotations

import base64
import io
import json
import struct
import zlib
from dataclasses import dataclass, field

import cv2
import numpy as np
from fake_detector import png

LIMITS = {"request_bytes": 400_000, "file_bytes": 150_000, "pixels": 1_000_000, "pictures": 4, "seconds": 5}
BOUNDARY = "x-boundary-x"


@dataclass(frozen=True)
class Hostile:
    """An upload and its answer. kind: of the problem, as in `metricloop.serving.problems`."""

    name: str
    status: int
    kind: str
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    path: str = "/predict"
    method: str = "POST"


def part(content: bytes, name: str = 'name="files"; filename="a.png"', more: str = "") -> bytes:
    """One part of a form."""
    head = f"--{BOUNDARY}\r\nContent-Disposition: form-data; {name}\r\n{more}\r\n"
    return head.encode("utf-8", "surrogateescape") + content + b"\r\n"


def form(*parts: bytes, end: bytes = f"--{BOUNDARY}--\r\n".encode()) -> dict:
    """A form as the fields of `Hostile`."""
    return {
        "body": b"".join(parts) + end,
        "headers": {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"},
    }


def a_file(content: bytes) -> dict:
    return form(part(content))


def as_json(value: object) -> dict:
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    return {"body": body, "headers": {"Content-Type": "application/json"}}


def chunk(kind: bytes, data: bytes) -> bytes:
    """A chunk of a PNG, with its checksum."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_bomb(width: int, height: int) -> bytes:
    """A PNG of a few kilobytes that unfolds to width x height grey pixels."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    rows = zlib.compress(b"\0" * min(width * height, 10_000_000), 9)
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def jpeg(width: int = 24, height: int = 16) -> bytes:
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    return cv2.imencode(".jpg", pixels)[1].tobytes()


def jpeg_of_size(width: int, height: int) -> bytes:
    """A JPEG whose header claims another size."""
    data = bytearray(jpeg())
    at = data.index(b"\xff\xc0")
    data[at + 5 : at + 9] = struct.pack(">HH", height, width)
    return bytes(data)


def tiff(width: int, height: int, channels: int = 1, tile: tuple[int, int] | None = None, kind: int = 4) -> bytes:
    """A TIFF of a header alone. tile: width and height of its tiles; kind: of the numbers of these."""
    entries = [(256, 4, width), (257, 4, height), (277, 3, channels)]
    entries += [(322, kind, tile[0]), (323, kind, tile[1])] if tile else []
    body = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in entries)
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + body + b"\0\0\0\0"


def bmp(width: int, height: int) -> bytes:
    return b"BM" + struct.pack("<IHHI", 54, 0, 0, 54) + struct.pack("<IiiHH", 40, width, height, 1, 24) + bytes(24)


def gif(width: int, height: int) -> bytes:
    return b"GIF89a" + struct.pack("<HH", width, height) + b"\0\0\0;"


def webp(width: int, height: int) -> bytes:
    """An extended WebP whose canvas claims a size."""
    sizes = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return b"RIFF" + struct.pack("<I", 22) + b"WEBPVP8X" + struct.pack("<I", 10) + bytes(4) + sizes


def flipped(data: bytes) -> bytes:
    """A picture with damaged pixels."""
    middle = len(data) // 2
    return data[:middle] + bytes(255 - byte for byte in data[middle : middle + 40]) + data[middle + 40 :]


def zipped() -> bytes:
    buffer = io.BytesIO()
    import zipfile

    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.png", png())
    return buffer.getvalue()


GOOD = part(png())
TEXT = base64.b64encode(png()).decode()
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>'

UPLOADS = [
    # no picture, or not one
    Hostile("no body, no content type", 415, "bad-content-type"),
    Hostile("a form without parts", 422, "no-picture", **form()),
    Hostile("an empty file", 422, "bad-picture", **a_file(b"")),
    Hostile("a text named .png", 422, "bad-picture", **a_file(b"hello, world")),
    Hostile("HTML named .png", 422, "bad-picture", **a_file(b"<html><script>alert(1)</script>")),
    Hostile("SVG that points to a file", 422, "bad-picture", **a_file(SVG)),
    Hostile("a ZIP archive", 422, "bad-picture", **a_file(zipped())),
    Hostile("random bytes", 422, "bad-picture", **a_file(np.random.default_rng(1).bytes(5000))),
    # cut off or damaged
    Hostile("the first 8 bytes of a PNG", 422, "bad-picture", **a_file(png()[:8])),
    Hostile("half a PNG", 422, "bad-picture", **a_file(png()[:400])),
    Hostile("a JPEG without its end", 422, "bad-picture", **a_file(jpeg()[:-2])),
    Hostile("a JPEG of its first two bytes", 422, "bad-picture", **a_file(b"\xff\xd8\xff")),
    Hostile("a JPEG without a frame", 422, "bad-picture", **a_file(b"\xff\xd8\xff\xd9")),
    Hostile("a PNG with damaged pixels", 422, "bad-picture", **a_file(flipped(png()))),
    Hostile("a picture of 0 x 0", 422, "bad-picture", **a_file(png_bomb(0, 0))),
    Hostile("a TIFF whose directory points past the end", 422, "bad-picture", **a_file(b"II*\0\xff\xff\xff\x7f")),
    Hostile("a GIF of a header alone", 422, "bad-picture", **a_file(gif(8, 8))),
    Hostile("a JPEG of 5000 empty scans", 422, "bad-picture", **a_file(jpeg()[:-2] + b"\xff\xda\0\2" * 5000)),
    # bombs: small files of many pixels
    Hostile("PNG bomb, 50000 x 50000", 413, "too-many-pixels", **a_file(png_bomb(50_000, 50_000))),
    Hostile("PNG bomb, 1 x 2000000", 413, "too-many-pixels", **a_file(png_bomb(1, 2_000_000))),
    Hostile("JPEG of 65500 x 65500", 413, "too-many-pixels", **a_file(jpeg_of_size(65500, 65500))),
    Hostile("TIFF of 2^32 - 1 squared", 413, "too-many-pixels", **a_file(tiff(2**32 - 1, 2**32 - 1))),
    Hostile("TIFF of 60000 channels", 413, "too-many-pixels", **a_file(tiff(100, 100, 60_000))),
    Hostile("TIFF of one huge tile", 413, "too-many-pixels", **a_file(tiff(64, 64, 3, tile=(16_384, 16_368)))),
    Hostile("TIFF of a tile with a sign", 413, "too-many-pixels", **a_file(tiff(64, 64, 3, (16_384, 16_368), 9))),
    Hostile("TIFF of a tile of 64 bits", 422, "bad-picture", **a_file(tiff(64, 64, 3, (16_384, 16_368), 16))),
    Hostile("BMP of -2^31 rows", 413, "too-many-pixels", **a_file(bmp(2**31 - 1, -(2**31)))),
    Hostile("GIF of 65535 x 65535", 413, "too-many-pixels", **a_file(gif(65535, 65535))),
    Hostile("WebP of 16384 x 16384", 413, "too-many-pixels", **a_file(webp(16384, 16384))),
    # too much
    Hostile("a file over the limit", 413, "too-many-bytes", **a_file(bytes(150_001))),
    Hostile("a request over the limit", 413, "too-many-bytes", **form(*[part(bytes(140_000))] * 3)),
    Hostile("five pictures where four are allowed", 413, "too-many-pictures", **form(*[GOOD] * 5)),
    Hostile("five in JSON", 413, "too-many-pictures", **as_json({"images": [TEXT] * 5})),
    Hostile("base64 of a file over the limit", 413, "too-many-bytes", **as_json({"images": ["A" * 200_008]})),
    # forms
    Hostile("a form cut off in a part", 400, "bad-multipart", **form(GOOD[:200], end=b"")),
    Hostile("a form without its last boundary", 400, "bad-multipart", **form(GOOD, end=b"")),
    Hostile("a form without a boundary in its type", 400, "bad-multipart", GOOD,
            {"Content-Type": "multipart/form-data"}),
    Hostile("another boundary than its type says", 400, "bad-multipart", GOOD,
            {"Content-Type": "multipart/form-data; boundary=other"}),
    Hostile("a boundary of 10000 letters", 400, "bad-multipart", GOOD,
            {"Content-Type": "multipart/form-data; boundary=" + "b" * 10_000}),
    Hostile("a field that is no file", 422, "bad-field", **form(part(b"text", 'name="files"'))),
    Hostile("a file under another name", 422, "bad-field", **form(part(png(), 'name="image"; filename="a.png"'))),
    Hostile("a part without a disposition", 422, "bad-field",
            **form(f"--{BOUNDARY}\r\nX: y\r\n\r\nabc\r\n".encode())),
    Hostile("a part with 1000 headers", 400, "bad-multipart",
            **form(part(png(), more="".join(f"X-{n}: y\r\n" for n in range(1000))))),
    Hostile("a part with a header of 100 kB", 400, "bad-multipart",
            **form(part(png(), more=f"X: {'y' * 100_000}\r\n"))),
    Hostile("a good picture beside a bad one", 422, "bad-picture", **form(GOOD, part(b"nothing"))),
    # JSON
    Hostile("JSON cut off", 400, "bad-json", **as_json(b'{"images": ["aaaa')),
    Hostile("JSON of another form", 400, "bad-json", **as_json({"pictures": []})),
    Hostile("a JSON list", 400, "bad-json", **as_json([TEXT])),
    Hostile("an empty list of images", 422, "no-picture", **as_json({"images": []})),
    Hostile("images null", 400, "bad-json", **as_json({"images": None})),
    Hostile("a number for an image", 422, "bad-base64", **as_json({"images": [7]})),
    Hostile("not base64", 422, "bad-base64", **as_json({"images": ["!!!!"]})),
    Hostile("base64 of other letters", 422, "bad-base64", **as_json({"images": ["\u00e9\u202e\u0000"]})),
    Hostile("base64 of a text", 422, "bad-picture", **as_json({"images": ["aGVsbG8="]})),
    Hostile("images named twice", 400, "bad-json", **as_json(b'{"images": ["' + TEXT.encode() + b'"], "images": []}')),
    Hostile("100000 open brackets", 400, "bad-json", **as_json(b'{"images": ' + b"[" * 100_000)),
    Hostile("100000 empty strings", 413, "too-many-pictures", **as_json(b'{"images": [' + b'"",' * 100_000 + b'""]}')),
    Hostile("a number of 100000 digits", 400, "bad-json", **as_json(b'{"images": ' + b"9" * 100_000 + b"}")),
    Hostile("bytes that are no UTF-8", 400, "bad-json", **as_json(b'{"images": ["\xff\xfe"]}')),
    # headers, parameters, paths
    Hostile("text/plain", 415, "bad-content-type", b"hello", {"Content-Type": "text/plain"}),
    Hostile("a picture as the whole body", 415, "bad-content-type", png(), {"Content-Type": "image/png"}),
    Hostile("a compressed body", 415, "bad-content-type", zlib.compress(GOOD),
            {"Content-Type": "application/json", "Content-Encoding": "gzip"}),
    Hostile("score=nan", 422, "bad-parameter", path="/predict?score=nan", **a_file(png())),
    Hostile("score=2", 422, "bad-parameter", path="/predict?score=2", **a_file(png())),
    Hostile("score=<script>", 422, "bad-parameter", path="/predict?score=%3Cscript%3E%00", **a_file(png())),
    Hostile("max=-1", 422, "bad-parameter", path="/predict?max=-1", **a_file(png())),
    Hostile("max=1e9", 422, "bad-parameter", path="/predict?max=1000000000", **a_file(png())),
    Hostile("score twice", 422, "bad-parameter", path="/predict?score=0.1&score=0.9", **a_file(png())),
    Hostile("an unknown parameter", 422, "bad-parameter", path="/predict?%1b[31m=1", **a_file(png())),
    Hostile("an unknown path", 404, "not-found", path="/%2e%2e/%2e%2e/etc/passwd%0d%0a", method="GET"),
    Hostile("a path of 5000 letters", 404, "not-found", path="/" + "a" * 5000, method="GET"),
    Hostile("GET /predict", 405, "bad-method", method="GET"),
    Hostile("DELETE /predict", 405, "bad-method", method="DELETE"),
]  # fmt: skip
