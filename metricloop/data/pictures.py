"""Decode pictures, refuse incomplete files, and find near-duplicates."""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

SUFFIXES = frozenset({".jpg", ".jpeg", ".jpe", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif"})
JPEG = b"\xff\xd8\xff"
FINE = 64  # px; a fingerprint is made from a picture whose short side is at least this
THUMBNAIL_SIDE = 16  # px; side of the thumbnails that confirm a near-duplicate


class PictureError(ValueError):
    """The data are not a complete picture, or not the expected one; the message says what is wrong."""


@dataclass(frozen=True)
class Picture:
    """A decoded picture. image: (H, W, 3) uint8 RGB as shown; orientation: 1-8, from EXIF; converted: the kind of
    picture that was converted to 8-bit RGB ("CMYK", "16-bit", "transparency"), or "".
    """

    image: np.ndarray
    orientation: int
    converted: str


@dataclass(frozen=True)
class PictureFacts:
    """Facts about a picture file from reading it once. Near-duplicates have nearly equal hashes and thumbnails."""

    sha256: str
    width: int
    height: int
    orientation: int
    converted: str
    hash: np.uint64
    thumbnail: np.ndarray


def decode(data: bytes) -> np.ndarray:
    """A picture as shown, (H, W, 3) uint8 RGB: EXIF orientation applied, grey repeated, CMYK converted, 16 bits
    scaled to 8, transparency ignored (the colours beneath it stay).

    Errors: PictureError when the data are empty, no picture, or cut off.
    """
    return inspect(data).image


def decode_small(data: bytes, reduction: int) -> np.ndarray:
    """`decode` at a half, a quarter or an eighth of the size (reduction 2, 4, 8), sides rounded. A JPEG is decoded
    directly at that scale, in a third of the time; other formats are decoded and averaged.

    Errors: as `decode`.
    """
    if reduction == 1:
        return decode(data)
    if not data.startswith(JPEG):  # OpenCV would pick single pixels out of it, so it is averaged here
        whole = decode(data)
        height, width = (max(1, round(pixels / reduction)) for pixels in whole.shape[:2])
        return cv2.resize(whole, (width, height), interpolation=cv2.INTER_AREA)
    _check_whole(data)
    try:  # the flag of a grey picture and that of RGB together ask for a reduced one in RGB
        image = cv2.imdecode(np.frombuffer(data, np.uint8), _REDUCED[reduction] | cv2.IMREAD_COLOR_RGB)
    except cv2.error as error:
        raise PictureError(f"cannot be decoded ({error.err or error})") from None
    if image is None:
        raise PictureError("cannot be decoded")
    return image


_REDUCED = {2: cv2.IMREAD_REDUCED_GRAYSCALE_2, 4: cv2.IMREAD_REDUCED_GRAYSCALE_4, 8: cv2.IMREAD_REDUCED_GRAYSCALE_8}


def reduction_for(long_side: int, wanted: int) -> int:
    """The greatest reduction that leaves at least `wanted` pixels of a long side: 8, 4, 2 or 1."""
    return next((factor for factor in (8, 4, 2) if long_side // factor >= wanted), 1)


def shape(data: bytes) -> tuple[int, int]:
    """(height, width) of a picture as shown. Errors: as `decode`."""
    height, width, _ = decode(data).shape
    return height, width


def read_picture(path: Path | str, sha256: str | None = None, reduction: int = 1) -> np.ndarray:
    """Decode a file, reduced as in `decode_small`; with `sha256`, only if it still holds the bytes with that hash.

    Errors: PictureError with the file when it is missing, unreadable, or has another hash.
    """
    try:
        with open(path, "rb", buffering=0) as file:
            data = file.read()
    except OSError as error:
        raise PictureError(f"{path}: cannot be read ({error.strerror}); restore the file or ingest again") from None
    if sha256 is not None and hashlib.sha256(data).hexdigest() != sha256:
        raise PictureError(f"{path}: not the file that was ingested (its hash differs); restore it or ingest again")
    try:
        return decode_small(data, reduction)
    except PictureError as error:
        raise PictureError(f"{path}: {error}") from None


def inspect(data: bytes, reduction: int = 1) -> Picture:
    """Decode, and report how the picture was stored. reduction: as in `decode_small`, but for JPEGs only.

    Errors: as `decode`.
    """
    # OpenCV fills the missing part of a cut-off picture with grey and reports no error, so check for the end first.
    converted = _check_whole(data)
    flags = cv2.IMREAD_COLOR_RGB | _REDUCED.get(reduction, 0)
    try:
        image, kinds, blobs = cv2.imdecodeWithMetadata(np.frombuffer(data, np.uint8), flags=flags)
    except cv2.error as error:
        raise PictureError(f"cannot be decoded ({error.err or error})") from None
    if image is None:
        raise PictureError("cannot be decoded")
    exif = next((blob.tobytes() for kind, blob in zip(kinds, blobs, strict=True) if kind == 0), b"")
    return Picture(image, _orientation(exif or data), converted)


def _check_whole(data: bytes) -> str:
    """Raise PictureError unless `data` are a complete picture; return what will be converted."""
    if not data:
        raise PictureError("empty file")
    whole, converted = True, ""
    if data.startswith(JPEG):
        scan, channels, _ = _jpeg_scan(data)
        whole = scan > 0 and data.rfind(b"\xff\xd9", scan) > 0  # within a scan, 0xff is never followed by 0xd9
        converted = "CMYK" if channels == 4 else ""
    elif data.startswith(b"\x89PNG\r\n\x1a\n"):
        whole = b"IEND\xaeB`\x82" in data
        if whole:
            converted = "16-bit" if data[24] == 16 else "transparency" if data[25] in (4, 6) else ""
    elif data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        whole = len(data) >= struct.unpack("<I", data[4:8])[0] + 8
    elif data.startswith(b"BM") and len(data) >= 6:
        whole = len(data) >= struct.unpack("<I", data[2:6])[0]
    elif data.startswith((b"GIF87a", b"GIF89a")):
        whole = data.rstrip(b"\0").endswith(b";")
    elif data[4:8] == b"ftyp":
        raise PictureError("HEIF or AVIF, which is not supported; convert it to JPEG or PNG")
    elif not data.startswith((b"II*\0", b"MM\0*")):
        raise PictureError(f"not a picture (begins with {data[:8]!r})")
    if not whole:
        raise PictureError("cut off: the end of the picture is missing")
    return converted


def _jpeg_scan(data: bytes) -> tuple[int, int, tuple[int, int]]:
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


def _orientation(exif: bytes) -> int:
    """The orientation tag (0x0112) of a TIFF structure's first directory; 1 if there is none."""
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(exif[:4])
    if order is None:
        return 1
    try:
        (at,) = struct.unpack_from(f"{order}I", exif, 4)
        (entries,) = struct.unpack_from(f"{order}H", exif, at)
        for entry in range(entries):
            tag, _, _, value = struct.unpack_from(f"{order}HHIH", exif, at + 2 + 12 * entry)
            if tag == 0x0112:
                return value if 1 <= value <= 8 else 1
    except struct.error:
        return 1
    return 1


def picture_facts(path: Path | str) -> PictureFacts:
    """Read and decode a file once. Errors: PictureError with the reason, without the file's name."""
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise PictureError(error.strerror or str(error)) from None
    reduction, stored = 1, (0, 0)
    if data.startswith(JPEG):  # the header holds the size, and the fingerprint needs only a reduced picture
        *_, stored = _jpeg_scan(data)
        reduction = reduction_for(min(stored), FINE)
    picture = inspect(data, reduction)
    height, width = picture.image.shape[:2] if reduction == 1 else stored if picture.orientation < 5 else stored[::-1]
    sha256 = hashlib.sha256(data).hexdigest()
    return PictureFacts(sha256, width, height, picture.orientation, picture.converted, *fingerprint(picture.image))


def fingerprint(image: np.ndarray) -> tuple[np.uint64, np.ndarray]:
    """A 64-bit difference hash and a grey thumbnail, (256,) uint8; near-duplicates have nearly equal ones.

    A picture decoded at a smaller size gives the same to a bit or two, ten times faster.
    """
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    small = cv2.resize(grey, (9, 8), interpolation=cv2.INTER_AREA)
    bits = np.packbits(small[:, 1:] > small[:, :-1])
    thumbnail = cv2.resize(grey, (THUMBNAIL_SIDE, THUMBNAIL_SIDE), interpolation=cv2.INTER_AREA)
    return bits.view(np.uint64)[0], thumbnail.ravel()


def near_duplicates(
    hashes: np.ndarray, thumbnails: np.ndarray, *, distance: int = 3, difference: float = 4.0
) -> np.ndarray:
    """Pairs of rows that show the same picture, (k, 2) int, first < second, sorted.

    hashes: (n,) uint64; thumbnails: (n, 256) uint8. The hashes of a pair differ in at most `distance` <= 3
    bits, and its thumbnails by at most `difference` grey levels on average: plain pictures can have equal hashes.
    """
    pairs = [np.zeros((0, 2), np.int64)]
    for band in range(4):  # at most three bits differ, so one of four 16-bit bands is equal in both
        keys = (hashes >> np.uint64(16 * band)) & np.uint64(0xFFFF)
        order = np.argsort(keys, kind="stable")
        for rows in np.split(order, np.flatnonzero(np.diff(keys[order])) + 1):
            for i, row in enumerate(rows[:-1]):
                others = rows[i + 1 :]
                others = others[np.bitwise_count(hashes[others] ^ hashes[row]) <= distance]
                if len(others):
                    gap = np.abs(thumbnails[others].astype(np.int16) - thumbnails[row]).mean(axis=1)
                    others = others[gap <= difference]
                    pairs.append(np.stack([np.full(len(others), row), others], axis=1))
    return np.unique(np.sort(np.concatenate(pairs), axis=1), axis=0)
