"""Write the table of oddities in docs/formats.md anew, from tests/support/quirks."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "formats.md"
BEGIN, END = "<!-- oddities: made by scripts/make_formats_docs.py -->\n", "<!-- end of oddities -->\n"
COLUMNS = {
    "coco": "COCO",
    "yolo": "YOLO",
    "voc": "VOC",
    "ytvos": "YouTube-VOS",
    "cvat": "CVAT",
    "label-studio": "Label Studio",
    "fiftyone": "FiftyOne",
}


def table() -> str:
    """The oddities by kind; a column per format."""
    sys.path.insert(0, str(ROOT / "tests" / "support"))
    from quirks import all_quirks

    quirks = all_quirks()
    columns = [name for name in COLUMNS if any(quirk.format == name for quirk in quirks)]
    kinds = dict.fromkeys(quirk.kind for quirk in quirks)
    text = ""
    for kind in kinds:
        own = [quirk for quirk in quirks if quirk.kind == kind]
        used = [name for name in columns if any(quirk.format in (name, "any") for quirk in own)]
        if all(quirk.format == "any" for quirk in own):
            used = ["any"]
        titles = ["every format" if name == "any" else COLUMNS[name] for name in used]
        text += f"**{kind}**\n\n| | {' | '.join(titles)} |\n|---|{'---|' * len(used)}\n"
        for name in dict.fromkeys(quirk.name for quirk in own):
            cells = {quirk.format: quirk.outcome for quirk in own if quirk.name == name}
            shown = [cells.get(column, cells.get("any", "")) for column in used]
            text += f"| {name.replace('|', '/')} | {' | '.join(shown)} |\n"
        text += "\n"
    return text


def page() -> str:
    """The whole page with a new table."""
    before, _, rest = PAGE.read_text().partition(BEGIN)
    return before + BEGIN + "\n" + table() + END + rest.partition(END)[2]


if __name__ == "__main__":
    PAGE.write_text(page())
