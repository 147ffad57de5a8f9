"""Saved pages of two drawn news sites, which show headlines between advertisements, teasers and repeated blocks."""

from __future__ import annotations

import html
import random
from collections.abc import Callable, Sequence
from pathlib import Path

PAGES = 8  # the last one is of the other site
BOTH_SITES = ("Coin Courier", "Ledger Desk")
TEASERS = [
    "Prices are taken at noon. More on this soon.",
    "Our reporters follow the story and update this page.",
    "Shares rose and fell in early trade, said three people who know the firm.",
    "Read the full report, with charts, in the evening edition.",
]
ADVERTISEMENTS = [
    "Earn 12 % a year with SafeYield, risk free",
    "Traders love this one simple chart",
    "Open an account today and get $20 in Bitcoin",
    "Bitcoin to rise 900 %? Our free guide tells you",
]
SECTIONS = ["Markets", "Coins", "Firms", "Policy", "Opinion", "Newsletter"]
ENTITIES = {"'": ["&#39;", "&apos;", "'"], " % ": ["&nbsp;% ", " % ", " &#37; "], "$": ["&#36;", "$"], "€": ["&euro;"]}


def write_pages(folder: Path, texts: Sequence[str], chance: random.Random) -> list[str]:
    """Write pages that show these headlines; returns their items, in the order of the texts."""
    numbers = chance.sample(range(10_000, 100_000), len(texts))
    items = [f"n{number}" for number in numbers]
    share = -(-len(texts) // PAGES)
    folder.mkdir(parents=True, exist_ok=True)
    for page in range(PAGES):
        here = list(range(page * share, min((page + 1) * share, len(texts))))
        again = chance.sample(range(len(texts)), 4)  # most read, on this page or on another
        draw = _table if page == PAGES - 1 else _cards
        shown = [(items[n], texts[n]) for n in here]
        most_read = [(items[n], texts[n]) for n in again]
        (folder / f"page-{page + 1}.html").write_text(draw(chance, shown, most_read), encoding="utf-8", newline="")
    return items


Item = tuple[str, str]


def _cards(chance: random.Random, items: Sequence[Item], most_read: Sequence[Item]) -> str:
    """A page of the first site: cards, with the identifier on the card and the headline in its link."""
    blocks = [_card(chance, item, text) for item, text in items]
    for _ in range(3):
        blocks.insert(chance.randrange(len(blocks)), _advertisement(chance, _card))
    old = _card(chance, f"n{chance.randrange(1000, 9999)}", "Yesterday: Dogecoin sleeps 3 % less")
    blocks.insert(chance.randrange(len(blocks)), f"<!-- {old.replace('--', '')} -->\n")
    aside = "".join(
        f'    <li data-id="{item}"><a href="/news/{item}">{_marked(chance, text)}</a></li>\n'
        for item, text in most_read
    )
    main = f"<main>\n{''.join(blocks)}</main>\n<aside>\n  <h2>Most read</h2>\n  <ol>\n{aside}  </ol>\n</aside>\n"
    return _page(BOTH_SITES[0], main)


def _card(chance: random.Random, item: str, text: str, kind: str = "card") -> str:
    level = chance.choice(("h2", "h3"))
    return (
        f'  <article class="{kind}" data-id="{item}">\n'
        f"    <time>{chance.randrange(24):02}:{chance.randrange(60):02}</time>\n"
        f'    <{level}><a href="/news/{item}" title="Read on">\n      {_marked(chance, text)}\n    </a></{level}>\n'
        f'    <p class="teaser">{html.escape(chance.choice(TEASERS))}</p>\n'
        f'    <span class="comments">{chance.randrange(90)} comments</span>\n'
        f"  </article>\n"
    )


def _table(chance: random.Random, items: Sequence[Item], most_read: Sequence[Item]) -> str:
    """A page of the other site: a table, with the identifier on the row and the headline in a cell."""
    rows = [_row(chance, item, text) for item, text in [*items, *most_read]]
    rows.insert(chance.randrange(len(rows)), _advertisement(chance, _row))
    head = "  <tr><th>When</th><th>Headline</th><th>Source</th></tr>\n"
    return _page(BOTH_SITES[1], f'<table class="archive">\n{head}{"".join(rows)}</table>\n')


def _row(chance: random.Random, item: str, text: str, kind: str = "row") -> str:
    return (
        f'  <tr class="{kind}" data-id="{item}"><td class="when">{chance.randrange(1, 29)} March</td>'
        f'<td class="headline">{_marked(chance, text)}</td><td class="source">{BOTH_SITES[0]}</td></tr>\n'
    )


def _advertisement(chance: random.Random, draw: Callable[..., str]) -> str:
    """An advertisement that looks like an item."""
    kind = "card sponsored" if draw is _card else "row sponsored"
    return draw(chance, f"ad{chance.randrange(100, 999)}", chance.choice(ADVERTISEMENTS), kind)


def _marked(chance: random.Random, text: str) -> str:
    """A headline as HTML: with entities, at times with a marked word, and broken over lines."""
    marked = html.escape(text, quote=False)
    for sign, ways in ENTITIES.items():
        marked = marked.replace(sign, chance.choice(ways))
    words = marked.split(" ")
    if chance.random() < 0.3:
        place = chance.randrange(len(words))
        words[place] = f"<em>{words[place]}</em>"
    if chance.random() < 0.2:
        words.insert(chance.randrange(1, len(words)), "\n     ")
    return " ".join(words)


def _page(site: str, content: str) -> str:
    links = "".join(f'<a href="/{section.lower()}">{section}</a> ' for section in SECTIONS)
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{site}: news</title>\n'
        '<script>var seen = {"data-id": "n0", "headline": "<b>not an item</b>"};</script>\n'
        f"<style>.sponsored {{ background: #ffe }}</style>\n</head>\n<body>\n<nav>{links}</nav>\n{content}"
        f'<footer><p>{site}. <a href="/imprint">Imprint</a></p></footer>\n</body>\n</html>\n'
    )
