"""Where the elements of an XML file stand in its bytes, so that one can be changed and the rest left as it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import unescape
from xml.parsers import expat

from metricloop.data.formats.xml_text import XmlError, parse_xml


@dataclass(frozen=True)
class Element:
    """One element. start, end: its first byte and the one behind it; inner, close: the same of what is in it."""

    tag: str
    start: int
    inner: int
    close: int
    end: int
    children: Sequence[Element]

    def all(self, tag: str) -> list[Element]:
        """The elements of this name in it, at any depth, in their order."""
        return [found for child in self.children for found in ([child] if child.tag == tag else child.all(tag))]

    def first(self, tag: str) -> Element | None:
        """The first child of this name."""
        return next((child for child in self.children if child.tag == tag), None)

    def text(self, data: bytes, tag: str) -> str:
        """The text of the first child of this name; "" where there is none."""
        child = self.first(tag)
        return "" if child is None else unescape(data[child.inner : child.close].decode("utf-8", "replace"))


def read_spans(data: bytes) -> Element | None:
    """The root element of a file in UTF-8 or ASCII; None for another encoding, and for a file that is damaged."""
    body = data.removeprefix(b"\xef\xbb\xbf")
    shift = len(data) - len(body)
    try:
        parse_xml(data)  # which refuses entities
        body.decode("utf-8")
    except (XmlError, UnicodeDecodeError):
        return None
    open_: list[tuple[str, int, int, list[Element]]] = []
    top: list[Element] = []
    parser = expat.ParserCreate()

    def begin(tag: str, attributes: object) -> None:
        start = parser.CurrentByteIndex
        open_.append((tag.rpartition(":")[2], start, _behind_tag(body, start), []))

    def finish(tag: str) -> None:
        name, start, inner, children = open_.pop()
        close = parser.CurrentByteIndex
        empty = body[inner - 2 : inner] == b"/>"
        close, end = (inner, inner) if empty else (close, _behind_tag(body, close))
        element = Element(name, start + shift, inner + shift, close + shift, end + shift, children)
        (open_[-1][3] if open_ else top).append(element)

    parser.StartElementHandler, parser.EndElementHandler = begin, finish
    try:
        parser.Parse(body, True)
    except expat.ExpatError:
        return None
    return top[0] if top else None


def _behind_tag(body: bytes, start: int) -> int:
    """The byte behind a tag; `>` in a quoted value is none of its end."""
    quote = 0
    for place in range(start, len(body)):
        byte = body[place]
        if quote:
            quote = 0 if byte == quote else quote
        elif byte in b"\"'":
            quote = byte
        elif byte == ord(">"):
            return place + 1
    return len(body)
