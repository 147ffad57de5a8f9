"""The folder of a take-home: its files, and the settings in its params.yaml."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import Field, ValidationError

from metricloop import layout
from metricloop.config import Section
from metricloop.data.tables import read_yaml, replacing
from metricloop.llm.settings import LanguageModel
from metricloop.takehome.contract import MEMORY_MB, SECONDS

PROJECT = "project"  # the application as it is now
ATTEMPTS = "attempts"  # the application after every answer
SCORECARD = "scorecard.json"
SCORECARD_PAGE = "scorecard.md"
TRANSCRIPT = "transcript.md"
NOTE = "# Settings of a take-home assignment. `llm` is the section of a study; docs/takehome.md explains the rest.\n"


class SettingsError(ValueError):
    """params.yaml cannot be used; the message names the key."""


class TakeHome(Section):
    """The section takehome. rounds: of improvement, after the first; memory_mb, seconds: limits of a run."""

    rounds: Annotated[int, Field(ge=0, le=10)] = 0
    memory_mb: Annotated[int, Field(ge=256)] = MEMORY_MB
    seconds: Annotated[float, Field(gt=0, le=3600)] = SECONDS


class Settings(Section):
    """params.yaml of a take-home."""

    takehome: TakeHome = TakeHome()
    llm: LanguageModel = LanguageModel()


def load_settings(folder: Path) -> Settings:
    """The settings of a folder; the defaults where it has no params.yaml. Errors: SettingsError, TableError."""
    path = folder / layout.PARAMS
    return check_settings(read_yaml(path) if path.is_file() else {}, str(path))


def check_settings(values: Any, name: str = layout.PARAMS) -> Settings:
    try:
        return Settings.model_validate(values or {})
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        raise SettingsError(f"{name}: {faults.replace('Value error, ', '')}") from None


def save_settings(folder: Path, changes: dict[str, dict[str, Any]]) -> Settings:
    """Change keys of params.yaml, by section, and leave the others as they are. Errors: SettingsError."""
    path = folder / layout.PARAMS
    values = (read_yaml(path) if path.is_file() else {}) or {}
    for section, keys in changes.items():
        values[section] = (values.get(section) or {}) | keys
    settings = check_settings(values, str(path))
    with replacing(path) as temporary:
        temporary.write_text(NOTE + yaml.safe_dump(values, sort_keys=False))
    return settings
