"""A look at the data of an assignment, as text for the model: files, counts, the first rows, one saved page."""

from __future__ import annotations

from collections import Counter

from PIL import Image

from metricloop.takehome.assignment import DATA, Assignment
from metricloop.text import numbers
from metricloop.text.clean import printable

ROWS, MOST_ROW, MOST_PAGE = 6, 200, 3000  # rows of the labelled items; characters


def look(assignment: Assignment) -> str:
    """What a candidate sees who opens the folder."""
    front, train = assignment.front, assignment.train
    counts = Counter(label for _, label in train)
    shares = ", ".join(f"{label} {counts[label]}" for label in front.labels)
    lines = (assignment.data / front.train).read_text(encoding="utf-8-sig").splitlines()[: ROWS + 1]
    rows = "\n".join(printable(line)[:MOST_ROW] for line in lines)
    unseen = assignment.unseen_files
    names = ", ".join(path.name for path in unseen[:3])
    parts = [
        f"`{DATA}/{front.train}` has {numbers.count(len(train), 'row')} ({shares}). It begins:\n\n```\n{rows}\n```",
        f"`{DATA}/{front.unseen}/` has {numbers.count(len(unseen), 'file')}: {names}, ...",
    ]
    if others := sorted(p.name for p in assignment.data.iterdir() if p.name not in (front.train, front.unseen)):
        parts.append(f"Also in `{DATA}/`: {', '.join(others)}.")
    if front.kind == "image":
        parts.append(_pictures(assignment))
    else:
        page = printable(unseen[0].read_text(encoding="utf-8", errors="replace"))
        cut = "" if len(page) <= MOST_PAGE else "\n..."
        parts.append(f"`{unseen[0].name}` begins:\n\n```html\n{page[:MOST_PAGE]}{cut}\n```")
    parts.append(f"Training may take {60 * front.minutes:g} s.")
    return "\n\n".join(parts)


def _pictures(assignment: Assignment) -> str:
    kinds: Counter[str] = Counter()
    for path in assignment.unseen_files:
        with Image.open(path) as picture:
            kinds[f"{picture.width} x {picture.height} pixels, mode {picture.mode}"] += 1
    return "The unseen pictures are " + "; ".join(f"{kind} ({count})" for kind, count in kinds.most_common(3)) + "."
