"""Build small XML documents: elements with text, indented, in UTF-8."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree as ET

from metricloop.data.tables import replacing

# XML 1.0 has no place for these characters, not even escaped
IMPOSSIBLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def add(parent: ET.Element, tag: str, text: object = None, /, **attributes: object) -> ET.Element:
    """Add an element below `parent`, with text and attributes."""
    element = ET.SubElement(parent, tag, {key: xml_text(value) for key, value in attributes.items()})
    if text is not None:
        element.text = xml_text(text)
    return element


def xml_text(value: object) -> str:
    """A value as text that XML can hold; truth values as `true` and `false`."""
    return str(value).lower() if isinstance(value, bool) else IMPOSSIBLE.sub("?", str(value))


def write_xml(path: Path, root: ET.Element) -> None:
    """Write a document, indented, with a declaration."""
    ET.indent(root, " ")
    with replacing(path) as temporary:
        ET.ElementTree(root).write(temporary, encoding="utf-8", xml_declaration=True)
