"""Ask an application for predictions: predict.py runs in the sandbox, and its CSV file is read and checked here."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from metricloop.takehome.bench import Bench, Extra
from metricloop.takehome.contract import DATA, EXTRACT, MODEL, PREDICT
from metricloop.text.clean import clean

MOST_ROWS, MOST_COLUMNS = 100_000, 50
csv.field_size_limit(1_000_000)


@dataclass(frozen=True)
class Predicted:
    """labels: by item. faults: what is wrong with the file, for the model."""

    labels: dict[str, str]
    faults: tuple[str, ...] = ()


def predict_texts(bench: Bench, texts: Mapping[str, str]) -> Predicted:
    """The labels of texts, given by item. The items' order in the file is that of the mapping."""
    stream = io.StringIO()
    rows = csv.writer(stream)
    rows.writerow(["item", "text"])
    rows.writerows(texts.items())
    return _predict(
        bench, ["--items", "metricloop_items.csv"], {"metricloop_items.csv": stream.getvalue()}, list(texts)
    )


def predict_pictures(bench: Bench, pictures: Mapping[str, bytes] | Path) -> Predicted:
    """The labels of pictures, given by file name, or of a folder below the data."""
    if isinstance(pictures, Path):
        names = sorted(path.name for path in pictures.iterdir())
        return _predict(bench, ["--pictures", f"{DATA}/{pictures.name}"], {}, names)
    extra = {f"metricloop_pictures/{name}": content for name, content in pictures.items()}
    return _predict(bench, ["--pictures", "metricloop_pictures"], extra, list(pictures))


def _predict(bench: Bench, source: list[str], extra: Extra, items: Sequence[str]) -> Predicted:
    out = "metricloop_predictions.csv"
    ran = bench.run([PREDICT, "--model", MODEL, *source, "--out", out], extra)
    if ran.fault:
        return Predicted({}, (ran.fault,))
    try:
        rows = read_rows(ran.text(out), ("item", "label"), PREDICT)
    except ValueError as error:
        return Predicted({}, (str(error),))
    return check_predictions(rows, items, bench.assignment.front.labels)


def check_predictions(rows: Sequence[tuple[str, str]], items: Sequence[str], labels: Sequence[str]) -> Predicted:
    """Every item once, with a known label."""
    found = Counter(item for item, _ in rows)
    faults = set_faults("predictions", found, items)
    if unknown := sorted({label for _, label in rows} - set(labels)):
        faults.append(f"labels that do not exist: {', '.join(clean(repr(label), 40) for label in unknown[:3])}")
    return Predicted(dict(rows), tuple(faults))


def set_faults(what: str, found: Counter[str], wanted: Sequence[str]) -> list[str]:
    """What is missing, doubled or unknown among items that were found, with a few names."""
    groups = {
        "are missing": [item for item in wanted if item not in found],
        "are there more than once": [item for item, count in found.items() if count > 1],
        "belong to no item": [item for item in found if item not in set(wanted)],
    }
    return [
        f"{what}: {len(names)} {said}, such as {', '.join(clean(repr(name), 40) for name in sorted(names)[:3])}"
        for said, names in groups.items()
        if names
    ]


def extract(bench: Bench) -> tuple[dict[str, str], list[str], Counter[str]]:
    """Run extract.py on the saved pages: the text of each item, the faults of its file, and how often each occurs."""
    out = "metricloop_items.csv"
    ran = bench.run([EXTRACT, "--pages", f"{DATA}/{bench.assignment.front.unseen}", "--out", out])
    if ran.fault:
        return {}, [ran.fault], Counter()
    try:
        rows = read_rows(ran.text(out), ("item", "text"), EXTRACT)
    except ValueError as error:
        return {}, [str(error)], Counter()
    found = Counter(item for item, _ in rows)
    faults = [] if all(text.strip() for _, text in rows) else ["some items have no text"]
    return dict(rows), faults, found


def read_rows(text: str | None, columns: tuple[str, str], program: str) -> list[tuple[str, str]]:
    """The two columns of a CSV file that a program wrote. Errors: ValueError for the model."""
    if text is None:
        raise ValueError(f"{program} ended well and wrote no file to --out")
    try:
        reader = csv.reader(io.StringIO(text))
        names = next(reader, [])
        if not set(columns) <= set(names) or len(names) > MOST_COLUMNS:
            shown = clean(",".join(names[:MOST_COLUMNS]), 100)
            raise ValueError(f"the file of {program} needs the columns {','.join(columns)}; it has {shown}")
        first, second = map(names.index, columns)
        rows = []
        for row in filter(None, reader):  # blank lines do not count
            if len(row) <= max(first, second):
                raise ValueError(f"line {reader.line_num} of the file of {program} has too few values")
            rows.append((row[first].strip(), row[second].strip()))
            if len(rows) > MOST_ROWS:
                raise ValueError(f"the file of {program} has more than {MOST_ROWS:,} rows")
    except csv.Error as error:
        raise ValueError(f"the file of {program} is not CSV: {error}") from None
    return rows
