"""Decode pictures, refuse incomplete files, and find near-duplicates."""

from __future__ import annotations

import hashlib
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from metricloop.data import door
from metricloop.data.heif import HeifError, decode_heif
from metricloop.data.picture_header import JPEG, jpeg_scan, stored_size, tiff_tags

_JPEGS = {".jpg", ".jpeg", ".jpe", ".jfif", ".jif", ".pjpeg", ".mpo"}
SUFFIXES = frozenset(_JPEGS | {".png", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".heic", ".heif", ".avif"})
MOST_PIXELS = 200_000_000  # of one picture, and of all pictures that are decoded at the same time
HEIF, AVIF = "HEIF", "AVIF"
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
        data = door.read_bytes(path, sha256=sha256)
    except door.DoorError as error:
        raise PictureError(f"{path}: cannot be read ({error}); restore the file or ingest again") from None
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
    if converted in (HEIF, AVIF):
        return _inspect_heif(data, converted)
    flags = cv2.IMREAD_COLOR_RGB | _REDUCED.get(reduction, 0)
    try:
        image, kinds, blobs = cv2.imdecodeWithMetadata(np.frombuffer(data, np.uint8), flags=flags)
    except cv2.error as error:
        raise PictureError(f"cannot be decoded ({error.err or error})") from None
    if image is None:
        raise PictureError("cannot be decoded")
    exif = next((blob.tobytes() for kind, blob in zip(kinds, blobs, strict=True) if kind == 0), b"")
    return Picture(image, _orientation(exif or data), converted)


def _inspect_heif(data: bytes, kind: str) -> Picture:
    try:
        return Picture(decode_heif(data, MOST_PIXELS), 1, kind)
    except HeifError as error:
        raise PictureError(str(error)) from None


def _check_whole(data: bytes) -> str:
    """Raise PictureError unless `data` are a complete picture; return what will be converted."""
    if not data:
        raise PictureError("empty file")
    whole, converted = True, ""
    if data.startswith(JPEG):
        scan, channels, _ = jpeg_scan(data)
        whole = scan > 0 and data.rfind(b"\xff\xd9", scan) > 0  # within a scan, 0xff is never followed by 0xd9
        converted = "CMYK" if channels == 4 else ""
    elif data.startswith(b"\x89PNG\r\n\x1a\n"):
        whole = b"IEND\xaeB`\x82" in data and len(data) > 26
        if whole:
            converted = "16-bit" if data[24] == 16 else "transparency" if data[25] in (4, 6) else ""
    elif data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        whole = len(data) >= struct.unpack("<I", data[4:8])[0] + 8
    elif data.startswith(b"BM") and len(data) >= 6:
        whole = len(data) >= struct.unpack("<I", data[2:6])[0]
    elif data.startswith((b"GIF87a", b"GIF89a")):
        whole = data.rstrip(b"\0").endswith(b";")
    elif data[4:8] == b"ftyp":
        converted = AVIF if data[8:12] in (b"avif", b"avis") else HEIF
    elif not data.startswith((b"II*\0", b"MM\0*")):
        raise PictureError("not a picture, as its first bytes tell")
    if not whole:
        raise PictureError("cut off: the end of the picture is missing")
    height, width = stored_size(data) or (0, 0)
    if height * width > MOST_PIXELS:  # said before anything is decoded: a small file can hold gigabytes
        raise PictureError(f"{width} x {height} pixels; at most {MOST_PIXELS} are read")
    return converted


def _orientation(exif: bytes) -> int:
    """The orientation tag of a TIFF structure; 1 if there is none."""
    value = tiff_tags(exif).get(0x0112, 1)
    return value if 1 <= value <= 8 else 1


class PixelBudget:
    """Pixels that may be decoded at the same time, shared by threads; one that needs more than are free waits."""

    def __init__(self, pixels: int = MOST_PIXELS):
        self._free, self._all = pixels, pixels
        self._changed = threading.Condition()

    @contextmanager
    def use(self, pixels: int) -> Iterator[None]:
        """Hold `pixels` while the block runs."""
        pixels = min(pixels, self._all)
        with self._changed:
            self._changed.wait_for(lambda: pixels <= self._free)
            self._free -= pixels
        try:
            yield
        finally:
            with self._changed:
                self._free += pixels
                self._changed.notify_all()


def picture_facts(path: Path | str, budget: PixelBudget | None = None, sha256: str | None = None) -> PictureFacts:
    """Read and decode a file once. sha256: its hash, where it was read before.

    Errors: PictureError with the reason, without the file's name.
    """
    try:
        data = door.read_bytes(path, sha256=sha256)
    except door.DoorError as error:
        raise PictureError(str(error)) from None
    # the header holds the size; of a JPEG the fingerprint needs only a reduced picture
    stored = stored_size(data) or (0, 0)
    reduction = reduction_for(min(stored), FINE) if data.startswith(JPEG) else 1
    with (budget or PixelBudget()).use(stored[0] * stored[1] // reduction**2):
        picture = inspect(data, reduction)
        height, width = picture.image.shape[:2]
        if reduction > 1:
            height, width = stored if picture.orientation < 5 else stored[::-1]
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
    """All pairs of rows that show the same picture, (k, 2) int, first < second, sorted. Where many look alike, time and
    memory grow with the square of their number: `near_links` connects the same groups in less.

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
