"""Read an XML file of a stranger: in the encoding that it declares, without entities, names without namespaces."""

from __future__ import annotations

import codecs
import re
from xml.etree import ElementTree

from metricloop.data import door

_DECLARATION = re.compile(r"^\s*<\?xml[^>]*\?>")
_ENCODING = re.compile(rb"^\s*<\?xml[^>]*?encoding\s*=\s*[\"']([A-Za-z0-9._:-]+)[\"']")


class XmlError(ValueError):
    """An XML file that is not read; the message says why, without quoting it."""


def parse_xml(data: bytes) -> tuple[ElementTree.Element, str]:
    """The root element, and a note if the text was not UTF-8 and nothing declared it. Errors: XmlError."""
    text, note = _text(data)
    text = _DECLARATION.sub("", text, count=1)
    if "<!ENTITY" in text[:100_000]:
        raise XmlError("declares entities, which are not read")
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        line, column = error.position
        raise XmlError(f"cut off or damaged at line {line}, column {column}") from None
    except (ValueError, RecursionError):
        raise XmlError("cannot be parsed") from None
    for element in root.iter():
        if isinstance(element.tag, str):
            element.tag = element.tag.rpartition("}")[2]
    return root, note


def text_of_xml(data: bytes) -> str:
    """The text of the beginning of an XML file, to look for its root element."""
    try:
        return _text(data)[0]
    except XmlError:
        return ""


def _text(data: bytes) -> tuple[str, str]:
    declared = _ENCODING.match(data[:300])
    if not declared or data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return door.text_of(data)
    name = declared[1].decode()
    try:
        info = codecs.lookup(name)
        if not getattr(info, "_is_text_encoding", True):
            raise LookupError
        return data.decode(name, errors="replace"), ""
    except (LookupError, ValueError):
        raise XmlError(f"declares the encoding {name[:40]}, which is not known") from None
