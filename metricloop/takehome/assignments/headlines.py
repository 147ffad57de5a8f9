"""The assignment of the article: the sentiment of short news headlines, with saved pages of unseen ones."""

from __future__ import annotations

import random
import re
from pathlib import Path

from metricloop.takehome.assignments.files import write_rows, write_text
from metricloop.takehome.assignments.pages import write_pages
from metricloop.takehome.assignments.words import AFTER, BEFORE, PATTERNS, SHARES, SLOTS

TEXT = Path(__file__).with_name("headlines.md")
TRAIN, HELD_OUT, UNSEEN = 1500, 300, 120
NOISE = 0.05  # share of headlines whose label is drawn at random, as people disagree too
DRESSED = 0.5  # share of headlines with words in front or behind
SLOT = re.compile(r"\{(\w+)\}")
Headline = tuple[str, str]  # text and label


def write(folder: Path, seed: int = 0) -> None:
    """Write the assignment into a folder: ASSIGNMENT.md, data/ and truth/."""
    chance = random.Random(seed)
    drawn = draw(chance, TRAIN + HELD_OUT + UNSEEN)
    train, held_out, unseen = drawn[:TRAIN], drawn[TRAIN : TRAIN + HELD_OUT], drawn[TRAIN + HELD_OUT :]
    write_text(folder / "ASSIGNMENT.md", TEXT.read_text(encoding="utf-8"))
    write_rows(folder / "data" / "train.csv", ("text", "label"), train)
    write_rows(folder / "truth" / "held_out.csv", ("text", "label"), held_out)
    items = write_pages(folder / "data" / "pages", [text for text, _ in unseen], chance)
    labelled = [(item, label, text) for item, (text, label) in zip(items, unseen, strict=True)]
    write_rows(folder / "truth" / "unseen.csv", ("item", "label", "text"), sorted(labelled))


def draw(chance: random.Random, count: int) -> list[Headline]:
    """Headlines with their labels. No headline stands twice, whatever its case and signs."""
    found: dict[str, Headline] = {}
    labels, weights = list(SHARES), list(SHARES.values())
    while len(found) < count:
        (label,) = chance.choices(labels, weights)
        text = phrase(chance, chance.choice(PATTERNS[label]))
        if chance.random() < NOISE:
            label = chance.choice(labels)
        found.setdefault(plain(text), (text, label))
    return list(found.values())


def phrase(chance: random.Random, pattern: str) -> str:
    """A pattern with its words, and sometimes with others that say nothing of the sentiment."""
    if chance.random() < DRESSED:
        if chance.random() < 0.2:
            pattern = chance.choice(BEFORE) + pattern
        elif not pattern.endswith("?"):
            pattern += chance.choice(AFTER)
    used: set[str] = set()
    while SLOT.search(pattern):
        pattern = SLOT.sub(lambda slot: _word(chance, slot[1], used), pattern, count=1)
    return pattern[0].upper() + pattern[1:]


def _word(chance: random.Random, slot: str, used: set[str]) -> str:
    """A word for a slot that is not in the headline yet."""
    if slot == "p":
        return f"{chance.choice((0.5, 2, 12, 60, 150, 900, 1800, 24000, 30000, 42000)):,}"
    if slot in ("n", "m"):
        return f"{chance.choice((1, 2, 3, 4, 5, 6, 8, 11, 14, 20)) + chance.choice((0, 0.2, 0.5, 0.7)):g}"
    word = chance.choice([word for word in SLOTS[slot] if word not in used])
    used.add(word)
    return word


def plain(text: str) -> str:
    """The letters of a text, without case, digits, marks and spaces: what two headlines must not share."""
    return re.sub(r"[\W\d_]+", " ", text.casefold()).strip()
