"""Pictures packed into one file: what is in a tar or zip, or the rows of a Parquet file, as files in a folder.

`/data/a.tar/x/1.jpg` is the member `x/1.jpg` of `/data/a.tar`, and `/data/b.parquet/00000012.jpg` the picture in row 12
of `/data/b.parquet`. Nothing is unpacked: `door` reads the bytes where they lie.
"""

from __future__ import annotations

import os
import re
import tarfile
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from itertools import accumulate
from threading import Lock
from typing import IO, TYPE_CHECKING, Protocol, Self

from metricloop.data import door
from metricloop.data.urls import is_url

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

TAR, ZIP, PARQUET = ".tar", ".zip", ".parquet"
ARCHIVES = TAR, ZIP  # which are read like folders
BYTES = "bytes"  # of a picture, in a struct
BINARY = ("image", "img", "picture", "photo", "jpg", "jpeg", "png", "webp", BYTES)  # columns with bytes as they are
GROUPS = 2  # row groups of Parquet that a process keeps
AT_ONCE = 16  # pictures of a row group that are read at once: few bytes of a dictionary may become many pictures
DEEPEST = 24  # folders below each other
MOST = 3_000_000  # rows of a Parquet file
_END = re.compile(r"\.(?:tar|zip|parquet)(?=/|$)", re.IGNORECASE)
_lock = Lock()  # threads that want pictures of one row group wait for the first
Opener = Callable[[], IO[bytes]]


class Packed(Protocol):
    """What a packed file holds. names: folder in it ("" for the top) -> name -> whether that is a folder."""

    names: dict[str, dict[str, bool]]

    def read(self, member: str, limit: int, open_: Opener) -> bytes:
        """The bytes of a member; open_ opens the packed file. Errors: DoorError."""


def parts_of(path: os.PathLike[str] | str) -> tuple[str, str] | None:
    """The packed file in a path, and what is meant in it, "" for all of it; None for any other path.

    A folder whose name ends like that of a packed file is a folder.
    """
    text = str(path)
    ends = [end.end() for end in _END.finditer(text)]
    if is_url(text):  # which is not asked: `a.parquet/part-0.parquet` is what Spark writes
        ends = ends[-1:]
    for end in ends:
        if is_url(text) or os.path.isfile(text[:end]):
            return text[:end], text[end + 1 :].strip("/")
    return None


def kind(packed: Packed, member: str) -> str:
    """What a member is: "file", "folder" or "" for nothing."""
    if member in packed.names:
        return "folder"
    folder, _, name = member.rpartition("/")
    return "file" if packed.names.get(folder, {}).get(name) is False else ""


def packed_in(file: str) -> Packed:
    """What a packed file of this machine holds. Errors: DoorError."""
    try:
        state = os.stat(file)
    except OSError as error:
        raise door.DoorError(door.reason(error)) from None
    return _known(file, state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=2048)  # tars of a set, whose pictures are wanted in any order
def _known(file: str, size: int, changed: int) -> Packed:
    return door.use_file(file, lambda stream: look_into(file, stream))


def look_into(file: str, stream: IO[bytes]) -> Packed:
    """What a packed file holds, by its end or, of a tar, by all of its headers. Errors: DoorError."""
    if file.lower().endswith(PARQUET):
        return Rows.of(stream)
    if file.lower().endswith(ZIP):
        from metricloop.data.packed_zip import Zipped

        return Zipped(stream)
    return Members({name: (start, size) for name, start, size, _ in members_of(stream)})


def members_of(stream: IO[bytes], largest: int = -1) -> Iterator[tuple[str, int, int, bytes]]:
    """(name, where its bytes begin, how many, the bytes if at most `largest`) of the files in a tar; no hidden ones.

    Errors: DoorError where it is no tar, is compressed, or damaged.
    """
    end = stream.seek(0, os.SEEK_END)
    stream.seek(0)
    try:
        with tarfile.open(fileobj=stream, mode="r:", encoding="utf-8", errors="replace", tarinfo=_Header) as archive:
            for member in archive:
                archive.members = []  # type: ignore[attr-defined]  # it would keep a kilobyte for each
                if not member.offset < archive.offset <= end:
                    raise door.DoorError(f"cut off or damaged: what begins at byte {member.offset} has no end")
                name = plain_name(member.name)
                if not name or not member.isreg() or member.sparse:
                    continue
                content = archive.extractfile(member) if member.size <= largest else None
                yield name, member.offset_data, member.size, content.read() if content else b""
            stream.seek(archive.offset)
            if stream.read(tarfile.BLOCKSIZE).strip(b"\0"):  # tarfile takes it for the end
                raise door.DoorError(f"damaged at byte {archive.offset}")
    except (tarfile.ReadError, ValueError, OverflowError, RecursionError) as error:
        raise door.DoorError(f"no tar, or a compressed one, which would have to be unpacked ({error})") from None


_NAMES = (tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK, tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE)


class _Header(tarfile.TarInfo):
    """A header, which may be followed by a long name; not by one of gigabytes."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        header = super().frombuf(buf, encoding, errors)
        if header.size > door.MB and header.type in _NAMES:
            raise tarfile.ReadError(f"a name of {header.size} bytes")
        return header


def plain_name(stated: str) -> str:
    """The name of a member below the packed file; "" for hidden ones, those too deep and those that lead out of it."""
    name = os.path.normpath(stated.replace("\\", "/")).lstrip("/")
    parts = name.split("/")
    return "" if len(parts) > DEEPEST or "\0" in name or any(part.startswith(".") for part in parts) else name


class Members:
    """The files in a tar or zip. spans: name -> (position of its first byte in the archive, number of bytes)."""

    def __init__(self, spans: dict[str, tuple[int, int]]) -> None:
        self.spans = spans
        self.names: dict[str, dict[str, bool]] = {"": {}}
        for member in spans:
            folder, _, name = member.rpartition("/")
            self._folder(folder)[name] = False

    def _folder(self, folder: str) -> dict[str, bool]:
        if folder not in self.names:
            above, _, name = folder.rpartition("/")
            self._folder(above)[name] = True
            self.names[folder] = {}
        return self.names[folder]

    def read(self, member: str, limit: int, open_: Opener) -> bytes:
        """As `Packed` says."""
        start, size = self.span(member, limit)
        with open_() as stream:
            stream.seek(start)
            return self.unpack(member, stream.read(size))

    def span(self, member: str, limit: int) -> tuple[int, int]:
        """Where a member begins, and its bytes. Errors: DoorError where there is none, or it is larger than `limit`."""
        if member not in self.spans:
            raise door.DoorError("it does not exist")
        start, size = self.spans[member]
        if size > limit:
            raise door.DoorError(f"{size / door.MB:.0f} MB; at most {limit // door.MB} MB are read")
        return start, size

    def unpack(self, member: str, data: bytes) -> bytes:
        """A member from the bytes of its span."""
        return data


class Rows:
    """The pictures in a column of a Parquet file, named by their rows. starts: the first row of each row group, and the
    number of all rows; suffix: of all names; metadata: of the file, which takes long to read where it has many groups.
    """

    def __init__(self, column: str, suffix: str, starts: list[int], metadata: pq.FileMetaData) -> None:
        self.column, self.suffix, self.starts, self.metadata = column, suffix, starts, metadata
        self.names = {"": {self.name_of(row): False for row in range(starts[-1])}}

    @classmethod
    def of(cls, stream: IO[bytes]) -> Rows:
        """Errors: DoorError where it is no Parquet file, or no column of it holds pictures."""
        with parquet_of(stream) as parquet:
            column = picture_column(parquet.schema_arrow)
            if column is None:
                raise door.DoorError("no column of it holds pictures")
            groups = range(parquet.metadata.num_row_groups)
            sizes = [parquet.metadata.row_group(group).num_rows for group in groups]
            if sum(sizes) > MOST:
                raise door.DoorError(f"{sum(sizes)} rows; at most {MOST} are read")
            return cls(column, _suffix(parquet, column), [0, *accumulate(sizes)], parquet.metadata)

    def name_of(self, row: int) -> str:
        """The name of the picture in a row, counted from 0."""
        return f"{row:08}{self.suffix}"

    def read(self, member: str, limit: int, open_: Opener) -> bytes:
        """As `Packed` says."""
        if member not in self.names[""]:
            raise door.DoorError("it does not exist")
        row = int(member.partition(".")[0])
        group = bisect_right(self.starts, row) - 1
        data = self.group(group, open_)[row - self.starts[group]]
        if data is None:
            raise door.DoorError("its row holds no picture")
        if len(data) > limit:
            raise door.DoorError(f"{len(data) / door.MB:.0f} MB; at most {limit // door.MB} MB are read")
        return data

    def group(self, group: int, open_: Opener) -> list[bytes | None]:
        """The pictures in a row group; the last ones stay in memory, because pictures are wanted in their order."""
        with _lock:
            key = self, group
            if key not in _groups:
                while len(_groups) >= GROUPS:
                    del _groups[next(iter(_groups))]
                _groups[key] = self._read_group(group, open_)
            return _groups[key]

    def _read_group(self, group: int, open_: Opener) -> list[bytes | None]:
        self._check_size(group, self.metadata.row_group(group).total_byte_size)
        found: list[bytes | None] = []
        size = 0
        with open_() as stream, parquet_of(stream, self.metadata) as parquet:
            for own in _pictures(parquet, self.column, AT_ONCE, [group]):
                found += own
                size += sum(len(data) for data in own if data)
                self._check_size(group, size)
        return found

    def _check_size(self, group: int, size: int) -> None:
        """Errors: DoorError where a row group is too large."""
        if size > door.PICTURE:
            raise door.DoorError(
                f"row group {group} takes {size / door.MB:.0f} MB; at most {door.PICTURE // door.MB} MB are read "
                "at once: write the file with smaller row groups"
            )


_groups: dict[tuple[Rows, int], list[bytes | None]] = {}


@contextmanager
def parquet_of(stream: IO[bytes], metadata: pq.FileMetaData | None = None) -> Iterator[pq.ParquetFile]:
    """A Parquet file, to be read within the block. metadata: of it, where known.

    Errors: DoorError where it is none, or is damaged.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        yield pq.ParquetFile(stream, metadata=metadata)
    except (pa.ArrowException, UnicodeDecodeError, OSError) as error:
        if isinstance(error, OSError) and type(error) is not OSError:  # of the server that it lies on
            raise
        told = " ".join(str(error).split())[:100]
        raise door.DoorError(f"no Parquet file, or a damaged one ({told})") from None


def picture_column(schema: pa.Schema) -> str | None:
    """The column that holds the bytes of pictures: a struct with `bytes`, as Hugging Face's `datasets` writes them, or
    bytes in a column whose name says so; of several, one whose name says so. None if there is none.
    """
    import pyarrow as pa

    found = []
    for field in schema:
        named = field.name.lower() in BINARY
        at = field.type.get_field_index(BYTES) if pa.types.is_struct(field.type) else -1
        if _is_binary(field.type.field(at).type) if at >= 0 else named and _is_binary(field.type):
            found.append((not named, str(field.name)))
    own = [name for _, name in sorted(found, key=lambda one: one[0]) if schema.names.count(name) == 1]
    return own[0] if own else None


def _is_binary(type_: pa.DataType) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_binary(type_) or pa.types.is_large_binary(type_))


def _suffix(parquet: pq.ParquetFile, column: str) -> str:
    """How the names of the pictures end: as the first bytes of the first one tell."""
    kinds = {b"\x89PNG": ".png", b"RIFF": ".webp", b"GIF8": ".gif", b"II*\0": ".tif", b"MM\0*": ".tif"}
    first = next(_pictures(parquet, column, 1), [])
    return kinds.get((first[0] or b"")[:4] if first else b"", ".jpg")


def _pictures(
    parquet: pq.ParquetFile, column: str, many: int, groups: Sequence[int] | None = None
) -> Iterator[list[bytes | None]]:
    """The pictures in a column, some at once; of all row groups, or of some."""
    leaf = column if _is_binary(parquet.schema_arrow.field(column).type) else f"{column}.{BYTES}"
    for batch in parquet.iter_batches(many, row_groups=groups, columns=[leaf]):
        yield [one[BYTES] if isinstance(one, dict) else one for one in batch.column(0).to_pylist()]
