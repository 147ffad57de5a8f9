"""Read the files of a multipart form while it arrives; limits hold before a part is kept."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header

from metricloop.serving.limits import Limits
from metricloop.serving.problems import KINDS, RefusedError, clean

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

FIELD = "files"


async def read_form(pieces: AsyncIterator[bytes], boundary: bytes | None, limits: Limits) -> list[tuple[str, bytes]]:
    """(name, content) of each file, at least one. Errors: RefusedError saying what is wrong with the form."""
    if not boundary:
        raise RefusedError("bad-multipart", "The Content-Type names no boundary; let the HTTP library write it.")
    form = _Form(limits)
    try:
        parser = MultipartParser(boundary, form.callbacks())
        async for piece in pieces:
            parser.write(piece)
        parser.finalize()
    except FormParserError:
        raise RefusedError("bad-multipart", "The form is not valid multipart/form-data (RFC 7578).") from None
    if not form.ended:
        raise RefusedError("bad-multipart", KINDS["bad-multipart"].example)
    if not form.files:
        raise RefusedError("no-picture", KINDS["no-picture"].example)
    return [(name, bytes(content)) for name, content in form.files]


class _Form:
    """The state of a form that is being read."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.files: list[tuple[str, bytearray]] = []
        self.ended = False
        self._name, self._value = b"", b""
        self._disposition = b""

    def callbacks(self) -> MultipartCallbacks:
        return {
            "on_part_begin": self._begin,
            "on_header_field": self._header_name,
            "on_header_value": self._header_value,
            "on_header_end": self._header_end,
            "on_headers_finished": self._headers_end,
            "on_part_data": self._data,
            "on_end": self._end,
        }

    def _begin(self) -> None:
        self._disposition = b""
        if len(self.files) == self.limits.pictures:
            raise RefusedError(
                "too-many-pictures",
                f"More than {self.limits.pictures} pictures; spread them over several requests.",
            )

    def _header_name(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        if self._name.lower() == b"content-disposition":
            self._disposition = self._value
        self._name, self._value = b"", b""

    def _headers_end(self) -> None:
        _, options = parse_options_header(self._disposition)
        if options.get(b"name") != FIELD.encode() or b"filename" not in options:
            raise RefusedError("bad-field", KINDS["bad-field"].example)
        name = options[b"filename"].decode(errors="replace").replace("\\", "/").rpartition("/")[2]
        self.files.append((clean(name) or f"picture {len(self.files) + 1}", bytearray()))

    def _data(self, data: bytes, start: int, end: int) -> None:
        content = self.files[-1][1]
        if len(content) + end - start > self.limits.file_bytes:
            raise RefusedError(
                "too-many-bytes",
                f"File {len(self.files)} has more than {self.limits.file_bytes} bytes; send a smaller picture.",
            )
        content += data[start:end]

    def _end(self) -> None:
        self.ended = True
