"""A reader for each file of a workspace, which raises ValueError or OSError if the file is damaged."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from metricloop import layout

SQLITE = b"SQLite format 3\0"


def read_yaml_keys(path: Path) -> Any:
    """The content of a YAML file that must hold keys with values. Errors: ValueError, without the name of the file."""
    import yaml

    text = path.read_text("utf-8")
    try:
        content = yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f" from line {min(mark.line + 1, len(text.splitlines()))} on" if mark else ""
        raise ValueError(f"it is no YAML{place}") from None
    return _check(content, dict)


def _journal(path: Path) -> None:
    """Check that every line is JSON with keys. A last line without a line break does not count: a kill has cut it."""
    _check_lines(path.read_text("utf-8").split("\n")[:-1])


def _lines(path: Path) -> None:
    _check_lines(path.read_text("utf-8").splitlines())


def _check_lines(lines: list[str]) -> None:
    for number, line in enumerate(lines, start=1):
        try:
            _check(json.loads(line), dict)
        except (ValueError, RecursionError):
            raise ValueError(f"line {number} is no event") from None


def _our_yaml(path: Path) -> None:
    """Check YAML that only metricloop and DVC write. It ends with a line break; without one it was cut short."""
    read_yaml_keys(path)
    if not path.read_bytes().endswith(b"\n"):
        raise ValueError("it is cut short")


def _json(kind: type) -> Callable[[Path], None]:
    def read(path: Path) -> None:
        try:
            content = json.loads(path.read_text("utf-8"))
        except json.JSONDecodeError as error:
            raise ValueError(f"it is no JSON from line {error.lineno} on") from None
        except RecursionError:
            raise ValueError("it is no JSON of ours") from None
        _check(content, kind)

    return read


def _check(content: Any, kind: type) -> Any:
    if not isinstance(content, kind):
        raise ValueError(f"it must hold {_named(kind())}, and holds {_named(content)}")
    return content


def _named(content: Any) -> str:
    kinds = ((dict, "keys with values"), (list, "a list"), (str, "a text"), (bool, "true or false"))
    numbers = "nothing" if content is None else "a number"
    return next((words for kind, words in kinds if isinstance(content, kind)), numbers)


def _parquet(path: Path) -> None:
    import pyarrow
    import pyarrow.parquet

    try:
        pyarrow.parquet.read_table(path)
    except pyarrow.ArrowException:
        raise ValueError("it is no whole Parquet file") from None


def _zip(path: Path) -> None:
    try:
        with zipfile.ZipFile(path) as file:
            part = file.testzip()
    except zipfile.BadZipFile:
        part = "all"
    if part is not None:
        raise ValueError("it is no whole file of weights")


def _sqlite(path: Path) -> None:
    with path.open("rb") as stream:
        if stream.read(len(SQLITE)) != SQLITE:
            raise ValueError("it is no SQLite database")


def _text(path: Path) -> None:
    path.read_text("utf-8")


_OBJECT = _json(dict)
_BY_READER: tuple[tuple[Callable[[Path], Any], tuple[str, ...]], ...] = (
    (read_yaml_keys, (layout.PARAMS, layout.ARMS, layout.STAGES, layout.FINGERPRINT, layout.TRUSTED)),
    (_our_yaml, (layout.ROUNDS, layout.LOCK, layout.CODE, layout.CATALOGUE)),
    (_journal, (layout.JOURNAL,)),
    (_lines, (layout.OPENINGS,)),
    (_text, (layout.BRIEF, layout.PROBLEMS, layout.SECOND_PROBLEMS, f"{layout.PLOTS}/*.csv")),
    (_json(list), (layout.CATEGORIES,)),
    (_OBJECT, (layout.COMPARISON, layout.FINALISTS, layout.CONFIRMATION, layout.HEADLINE, layout.SUMMARY)),
    (_OBJECT, (layout.JUDGED, layout.ALIASES, f"{layout.AUDIT}/audit.json", f"{layout.PROMOTED}/*/*.json")),
    (_OBJECT, (f"{layout.NUMBERS}/*.json", f"{layout.SCREENING}/*.json", f"{layout.RESULTS}/*/*.json")),
    (_OBJECT, (f"{layout.MODELS}/*/*.json", f"{layout.SCORES}/*/*.json")),
    (_OBJECT, (layout.RUN, layout.SUMS, layout.KNOWN_CODE, layout.SECONDS, f"{layout.CODE_FILES}/*.json")),
    (_parquet, (f"{layout.DATA}/*.parquet", f"{layout.BOXES}/*.parquet", f"{layout.SCORES}/*/*.parquet")),
    (_parquet, (f"{layout.EDITS}/*.parquet", f"{layout.SUBSETS}/*.parquet", f"{layout.RATES}/*.parquet")),
    (_parquet, (f"{layout.MODELS}/*/*.parquet", f"{layout.RESULTS}/*/*.parquet")),
    (_zip, (f"{layout.MODELS}/*/*.pt",)),
    (_sqlite, (layout.MLFLOW,)),
)
FORMS: Mapping[str, Callable[[Path], Any]] = {
    pattern: reader for reader, patterns in _BY_READER for pattern in patterns
}  # glob pattern, relative to the workspace -> reader
