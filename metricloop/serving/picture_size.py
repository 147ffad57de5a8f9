"""The size of a picture from its header, before anything is decoded: a small file can unfold to gigabytes."""

from __future__ import annotations

import struct

MOST_SCANS = 100  # a progressive JPEG has about ten; thousands of empty ones take minutes to decode
WHOLE = {1: "B", 3: "H", 4: "I", 6: "B", 8: "H", 9: "I"}  # kinds of whole numbers in a TIFF
KINDS = "JPEG, PNG, WebP, GIF, BMP or TIFF"


def picture_size(data: bytes) -> tuple[int, int]:
    """(width, height) as a header states it, before an orientation is applied.

    Errors: ValueError when the data are no picture of a known kind, or the header is cut off or contradicts itself.
    """
    if not data:
        raise ValueError("empty file")
    try:
        width, height = _stated(data)
    except (struct.error, IndexError):
        raise ValueError("cut off: the header of the picture is incomplete") from None
    if width < 1 or height < 1:
        raise ValueError("a picture without pixels")
    return width, height


def _stated(data: bytes) -> tuple[int, int]:
    if data.startswith(b"\xff\xd8\xff"):
        return _jpeg(data)
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        if data[12:16] != b"IHDR":
            raise ValueError("a PNG that does not begin with its header")
        return struct.unpack_from(">II", data, 16)
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return _webp(data)
    if data.startswith((b"GIF87a", b"GIF89a")):
        return struct.unpack_from("<HH", data, 6)
    if data.startswith(b"BM"):
        return _bmp(data)
    if data.startswith((b"II*\0", b"MM\0*")):
        return _tiff(data)
    raise ValueError(f"not a picture; send {KINDS}")


def _jpeg(data: bytes) -> tuple[int, int]:
    """From the frame header: segment by segment, because an embedded preview has a frame of its own."""
    at = 2
    while True:
        if data[at] != 0xFF:
            raise ValueError("a JPEG with damaged segments")
        marker = data[at + 1]
        if marker == 0xFF:  # padding
            at += 1
        elif marker in (0xD9, 0xDA):
            raise ValueError("a JPEG without a frame")
        elif 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack_from(">HH", data, at + 5)
            break
        else:
            at += 2 + struct.unpack_from(">H", data, at + 2)[0]
    if data.count(b"\xff\xda", at) > MOST_SCANS:
        raise ValueError(f"a JPEG of more than {MOST_SCANS} scans; save it anew")
    return width, height


def _webp(data: bytes) -> tuple[int, int]:
    kind = data[12:16]
    if kind == b"VP8X":
        return 1 + int.from_bytes(data[24:27], "little"), 1 + int.from_bytes(_exactly(data, 27, 3), "little")
    if kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", data, 26)
        return width & 0x3FFF, height & 0x3FFF
    raise ValueError("a WebP without a picture")


def _exactly(data: bytes, at: int, count: int) -> bytes:
    if len(data) < at + count:
        raise IndexError
    return data[at : at + count]


def _bmp(data: bytes) -> tuple[int, int]:
    (header,) = struct.unpack_from("<I", data, 14)
    if header == 12:  # the oldest kind
        return struct.unpack_from("<HH", data, 18)
    width, height = struct.unpack_from("<ii", data, 18)
    return width, abs(height)  # negative: from the top row down


def _tiff(data: bytes) -> tuple[int, int]:
    """From the first directory: width, and height times each four channels or part, both up to the end of the last
    tile, because decoding needs room for whole tiles, however small the picture is.
    """
    order = "<" if data.startswith(b"II") else ">"
    (at,) = struct.unpack_from(f"{order}I", data, 4)
    (entries,) = struct.unpack_from(f"{order}H", data, at)
    found: dict[int, int] = {}
    for entry in range(entries):
        tag, kind, _ = struct.unpack_from(f"{order}HHI", data, at + 2 + 12 * entry)
        if tag in (256, 257, 277, 322, 323):
            if kind not in WHOLE:
                raise ValueError("a TIFF that states its size in an unusual form; save it anew")
            (value,) = struct.unpack_from(f"{order}{WHOLE[kind]}", data, at + 10 + 12 * entry)
            found.setdefault(tag, value)
    if 256 not in found or 257 not in found:
        raise ValueError("a TIFF without a size")
    width, height = (-(-found[n] // (found.get(n + 66) or 1)) * (found.get(n + 66) or 1) for n in (256, 257))
    return width, height * -(-found.get(277, 1) // 4)
