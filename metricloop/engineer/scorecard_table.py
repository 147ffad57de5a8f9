"""The scorecards of several workspaces as one table, a column per study."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from metricloop import layout
from metricloop.data.tables import read_json, read_yaml
from metricloop.engineer.scorecard import Proportion, Scorecard, of_engineer, scorecard
from metricloop.llm.journal import Event, read_journal
from metricloop.text.clean import clean
from metricloop.text.console import console_of
from metricloop.text.numbers import DASH, count, fixed, signed


class NoRoundsError(ValueError):
    """A workspace has no journal; the message says what to run."""


def read_card(folder: Path) -> tuple[str, Scorecard]:
    """The name of the study in a workspace, and its scorecard. Errors: NoRoundsError when no model was asked yet."""
    name, events, comparison = _read(folder)
    return name, scorecard(events, comparison, folder)


def _read(folder: Path) -> tuple[str, list[Event], dict[str, Any] | None]:
    """The name of the study in a workspace, its journal, and its comparison if there is one. Errors: NoRoundsError."""
    if not (folder / layout.JOURNAL).is_file():
        raise NoRoundsError(
            f"{folder.resolve()}: no {layout.JOURNAL}, so no language model was asked here yet; "
            "set llm.provider in its params.yaml and let `metricloop run` do a round"
        )
    events, table, params = read_journal(folder / layout.JOURNAL), folder / layout.COMPARISON, folder / layout.PARAMS
    comparison = read_json(table) if table.is_file() else None
    study = (read_yaml(params).get("study") or {}).get("name") if params.is_file() else None
    return clean(str(study or folder.resolve().name)), events, comparison


def read_cards(folder: Path) -> list[tuple[str, Scorecard]]:
    """The scorecard of a study, and then one of each of its engineers where it asked several. Errors: NoRoundsError."""
    name, events, comparison = _read(folder)
    whole = scorecard(events, comparison, folder)
    numbers = sorted({event["engineer"] for event in events if event.get("engineer")})
    own = [(f"{name}, engineer {k}", scorecard(of_engineer(events, k), comparison, folder)) for k in numbers]
    return [(name, whole), *own]


def table(cards: Mapping[str, Scorecard]) -> list[tuple[str, ...]]:
    """Rows of text: the name of the row, then one value per study in the order of `cards`."""
    columns = [_column(card) for card in cards.values()]
    repaired = sorted({number for card in cards.values() for number in card.after})
    names = dict.fromkeys(name for column in columns for name in column)
    order = [name for name in names if not name.startswith("ran after")]
    place = order.index("ran the first time") + 1 if order else 0
    order[place:place] = [_after(number) for number in repaired]
    return [(name, *(column.get(name, DASH) for column in columns)) for name in order]


def _after(repairs: int) -> str:
    return f"ran after {count(repairs, 'repair')}"


def _column(card: Scorecard) -> dict[str, str]:
    """The figures of one study as text, by row; text from the model or the server is made printable."""
    replayed = f" of {clean(', '.join(card.recorded))}" if card.recorded else ""
    about = " (some estimated)" if card.estimated else ""
    tokens = card.prompt_tokens + card.completion_tokens
    settled = card.never.n
    return {
        "model": clean(", ".join(card.models)) or DASH,
        "provider": clean(", ".join(card.providers)) + replayed or DASH,
        "rounds": count(card.rounds),
        "ideas proposed": count(card.proposed),
        "valid when proposed": str(card.valid),
        "ran the first time": str(card.first_time),
        **{_after(number): str(Proportion(ideas, settled)) for number, ideas in card.after.items()},
        "never ran": str(card.never),
        "failed on the whole pool": count(card.dropped),
        **({"stopped after short trials": count(card.screened)} if card.screened else {}),
        "files a person changed": str(card.edited) if card.edited.n else DASH,
        "files a person adopted": count(card.adopted),
        "families per idea that ran": f"{card.families.k}/{card.families.n}" if card.families.n else DASH,
        "copies refused": count(card.copies),
        "ideas that beat random": str(card.better),
        "gain in mAP, mean": signed(card.mean_gain),
        "gain in mAP, best": f"{signed(card.best[1])} {clean(card.best[0])}" if card.best else DASH,
        "measured minus predicted, mean": signed(card.bias),
        "absolute error of predictions, mean": fixed(card.absolute_error),
        "sign of the gain predicted correctly": str(card.signs),
        "rank correlation of predictions": signed(card.rank_correlation, 2),
        "built on its own ideas": str(card.built_on),
        "of these, gained more than the parent": str(card.improved),
        "calls answered, unusable, failed": f"{count(card.calls)}, {count(card.unusable)}, {count(card.failed)}",
        "tokens in + out": f"{count(card.prompt_tokens)} + {count(card.completion_tokens)}{about}",
        **({"of these cached, reasoning": _parts(card)} if card.cached_tokens or card.reasoning_tokens else {}),
        "money": _money(card.cost),
        "minutes of the model": fixed(card.seconds / 60, 1),
        "per significant point of mAP": DASH
        if card.points is None
        else f"{count(round(card.per_point(tokens) or 0))} tokens, {_money(card.per_point(card.cost))}, "
        f"{fixed(card.per_point(card.seconds / 60), 1)} min",
    }


def _parts(card: Scorecard) -> str:
    """How many tokens the server had in its cache, and how many the model spent on its own reasoning."""
    return f"{count(card.cached_tokens)}, {count(card.reasoning_tokens)}"


def _money(cost: float | None) -> str:
    return "price unknown" if cost is None else f"${fixed(cost, 2 if cost >= 1 or not cost else 4)}"


def markdown(cards: Mapping[str, Scorecard]) -> str:
    """The table as Markdown."""
    rows = [("", *cards), ("---", *("---" for _ in cards)), *table(cards)]
    return "\n".join(f"| {' | '.join(map(escaped, row))} |" for row in rows) + "\n"


def escaped(words: str) -> str:
    """Text of a model or a server for Markdown, escaped so that it makes no link, picture or HTML."""
    return re.sub(r"([\\`\[\]<>|!])", r"\\\1", words)


def print_scorecards(folders: Sequence[Path]) -> None:
    """The models of several workspaces side by side, in the terminal. Errors: NoRoundsError."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    read = [(folder, card) for folder in folders for card in read_cards(folder)]
    cards = named([card for _, card in read], [folder for folder, _ in read])
    shown = Table(box=SIMPLE_HEAD, padding=(0, 1), show_edge=False)
    shown.add_column("study", no_wrap=True)
    for name in cards:
        shown.add_column(Text(name), overflow="fold")  # as Text, so that markup and emoji codes are shown literally
    for row in table(cards):
        shown.add_row(*map(Text, row))
    console_of(max(100, 60 + 30 * (len(cards) - 1))).print(shown)


def named(read: Sequence[tuple[str, Scorecard]], folders: Sequence[Path]) -> dict[str, Scorecard]:
    """The cards by study name; studies with the same name get their folder added."""
    often = Counter(study for study, _ in read)
    return {
        f"{study} ({clean(str(folder))})" if often[study] > 1 else study: card
        for (study, card), folder in zip(read, folders, strict=True)
    }
