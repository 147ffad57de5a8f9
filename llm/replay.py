"""Recorded suggestions: what a language model once proposed, played back round by round."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError

from detection.settings import Section
from detection.tables import read_yaml
from llm.suggestion import Suggestion

BUILT_IN = {"demo": Path(__file__).parent / "cassettes" / "demo.yaml"}


class CassetteError(ValueError):
    """A cassette cannot be read; the message names the file and the entry."""


class Cassette(Section):
    """Recorded rounds: who proposed them, when, and the suggestions of each."""

    model: str
    recorded: date
    rounds: tuple[Annotated[tuple[Suggestion, ...], Field(min_length=1)], ...]


def load_cassette(name: str) -> Cassette:
    """Read a cassette: `demo`, or the path of a YAML file. Errors: CassetteError."""
    path = BUILT_IN.get(name, Path(name))
    if not path.is_file():
        raise CassetteError(f"llm.cassette: no file {path}; give {', '.join(BUILT_IN)} or the path of a recording")
    try:
        return Cassette.model_validate(read_yaml(path))
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        raise CassetteError(f"{path}: {faults}") from None


def replay(cassette: Cassette, number: int) -> tuple[Suggestion, ...]:
    """The suggestions of round `number` (from 1); none where the recording is shorter."""
    return cassette.rounds[number - 1] if 1 <= number <= len(cassette.rounds) else ()
