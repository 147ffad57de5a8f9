"""The files in a zip, read one by one: a zip has a list of them at its end, and each is compressed by itself."""

from __future__ import annotations

import stat
import zipfile
import zlib
from itertools import pairwise
from typing import IO, NamedTuple

from metricloop.data import door
from metricloop.data.packed import Members, plain_name

STORED, DEFLATED = 0, 8  # how a file is compressed
HEADER, ENCRYPTED = 30, 1  # bytes of a file's header without names; a flag


class _Entry(NamedTuple):
    packed: int
    size: int
    method: int
    flags: int
    crc: int


class Zipped(Members):
    """The files in a zip; a span reaches from the header of a file to that of the next."""

    def __init__(self, stream: IO[bytes]) -> None:
        """Errors: DoorError where it is no zip."""
        try:
            with zipfile.ZipFile(stream) as archive:
                found = sorted(archive.infolist(), key=lambda info: info.header_offset)
                end = archive.start_dir
        except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
            raise door.DoorError(f"no zip, or a damaged one ({error})") from None
        spans: dict[str, tuple[int, int]] = {}
        self._entries: dict[str, _Entry] = {}
        starts = [*(info.header_offset for info in found), end]
        for info, (start, following) in zip(found, pairwise(starts), strict=True):
            name = plain_name(info.filename)
            if name and not info.is_dir() and not stat.S_ISLNK(info.external_attr >> 16):
                spans[name] = start, following - start
                self._entries[name] = _Entry(
                    info.compress_size, info.file_size, info.compress_type, info.flag_bits, info.CRC
                )
        super().__init__(spans)

    def span(self, member: str, limit: int) -> tuple[int, int]:
        """As in `Members`. `limit`: for the file as it is, and for its compressed bytes in the zip."""
        found = super().span(member, limit + (1 << 16))  # with its header
        entry = self._entries[member]
        if entry.size > limit:
            raise door.DoorError(f"{entry.size / door.MB:.0f} MB; at most {limit // door.MB} MB are read")
        if entry.flags & ENCRYPTED:
            raise door.DoorError("it is encrypted; unpack it, and give the folder")
        if entry.method not in (STORED, DEFLATED):
            raise door.DoorError(f"compressed in a way that is not read (method {entry.method}); unpack it")
        return found

    def unpack(self, member: str, data: bytes) -> bytes:
        """As in `Members`. Errors: DoorError if size or checksum differ from those in the zip's list."""
        entry = self._entries[member]
        start = HEADER + int.from_bytes(data[26:28], "little") + int.from_bytes(data[28:30], "little")
        content = data[start : start + entry.packed]
        if entry.method == DEFLATED:
            try:
                content = zlib.decompressobj(-zlib.MAX_WBITS).decompress(content, entry.size + 1)
            except zlib.error:
                content = b""
        if len(content) != entry.size or zlib.crc32(content) != entry.crc:
            raise door.DoorError("it is damaged in the zip")
        return content
