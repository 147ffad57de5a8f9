"""What the first bytes of a picture say, before anything is decoded: its size, and where a JPEG's data begin."""

from __future__ import annotations

import re
import struct

JPEG = b"\xff\xd8\xff"
FORMS = {1: "B", 4: "I", 6: "B", 9: "I"}  # of the kinds of whole numbers in a TIFF that are not of 16 bits
HEIF_HEAD = 1 << 20  # bytes of a HEIF file in which sizes are looked for; they come before the pixels
PNG = b"\x89PNG\r\n\x1a\n"


def stored_size(data: bytes) -> tuple[int, int] | None:
    """(height, width) as stored; None where the header does not tell. Of a TIFF in tiles, those of all its tiles.

    >>> stored_size(PNG + b"\\0\\0\\0\\rIHDR" + struct.pack(">II", 40, 30))
    (30, 40)
    """
    try:
        if data.startswith(JPEG):
            return jpeg_scan(data)[2]
        if data.startswith(PNG):
            width, height = struct.unpack_from(">II", data, 16)
        elif data.startswith((b"GIF87a", b"GIF89a")):
            width, height = struct.unpack_from("<HH", data, 6)
        elif data.startswith(b"BM"):
            width, height = struct.unpack_from("<ii" if data[14] != 12 else "<HH", data, 18)
        elif data.startswith(b"RIFF") and data[8:12] == b"WEBP":
            width, height = _webp(data)
        elif data.startswith((b"II*\0", b"MM\0*")):
            return _tiff(data)
        elif data[4:8] == b"ftyp":
            return _heif(data)
        else:
            return None
    except (struct.error, IndexError):
        return None
    return abs(height), abs(width)


def _webp(data: bytes) -> tuple[int, int]:
    kind = data[12:16]
    if kind == b"VP8X":
        return 1 + int.from_bytes(data[24:27], "little"), 1 + int.from_bytes(data[27:30], "little")
    if kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    width, height = struct.unpack_from("<HH", data, 26)
    return width & 0x3FFF, height & 0x3FFF


def _heif(data: bytes) -> tuple[int, int] | None:
    """The size of the largest picture or tile in a HEIF or AVIF file, read from the `ispe` entries of its header."""
    sizes = [struct.unpack_from(">II", data, match.end() + 4)[::-1] for match in re.finditer(b"ispe", data[:HEIF_HEAD])]
    return max(sizes, key=lambda size: size[0] * size[1], default=None)


def _tiff(data: bytes) -> tuple[int, int] | None:
    """Up to the end of the last tile, because decoding needs room for whole tiles, however small the picture is."""
    tags = tiff_tags(data)
    height, width = tags.get(0x0101), tags.get(0x0100)
    if not height or not width:
        return None
    tile_height, tile_width = tags.get(0x0143) or 1, tags.get(0x0142) or 1
    return -(-height // tile_height) * tile_height, -(-width // tile_width) * tile_width


def tiff_tags(data: bytes) -> dict[int, int]:
    """The whole-number tags of a TIFF structure's first directory, as EXIF uses it; {} if there is none.

    Those of 64 bits, which nobody needs, are 2**64.
    """
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(data[:4])
    found: dict[int, int] = {}
    if order is None:
        return found
    try:
        (at,) = struct.unpack_from(f"{order}I", data, 4)
        (entries,) = struct.unpack_from(f"{order}H", data, at)
        for entry in range(entries):
            tag, kind, _, _ = struct.unpack_from(f"{order}HHII", data, at + 2 + 12 * entry)
            (value,) = struct.unpack_from(f"{order}{FORMS.get(kind, 'H')}", data, at + 10 + 12 * entry)
            found.setdefault(tag, 2**64 if kind in (16, 17) else value)
    except struct.error:
        pass
    return found


def jpeg_scan(data: bytes) -> tuple[int, int, tuple[int, int]]:
    """Where the first scan of a JPEG starts (0: nowhere), how many channels it has, and its height and width as
    stored. Skips segment by segment, because an embedded preview has an end marker of its own.
    """
    at, channels, size = 2, 0, (0, 0)
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:  # padding
            at += 1
            continue
        if marker == 0xDA:
            return at, channels, size
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC) and at + 9 < len(data):
            size, channels = struct.unpack(">HH", data[at + 5 : at + 9]), data[at + 9]
        at += 2 + struct.unpack(">H", data[at + 2 : at + 4])[0]
    return 0, channels, size
