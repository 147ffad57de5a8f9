"""What is known of models without asking a server: prices, service tiers and the days on which models end.

The table that ships is models.yaml; a file of the person, in the same form, goes before it.
"""

from __future__ import annotations

import os
import re
from datetime import date
from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError

from metricloop.config import Section
from metricloop.data.tables import TableError, read_yaml

SHIPPED = Path(__file__).parent / "models.yaml"
SNAPSHOT = re.compile(r"-(\d{4}-\d{2}-\d{2}|\d{8}|\d{4})$")  # 2026-01-01, 20260101, or 0613 of older models

Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Price = tuple[Amount, Amount] | tuple[Amount, Amount, Amount]  # USD per million tokens: read, written, read from cache


class ModelTableError(ValueError):
    """A table of models cannot be used; the message names the file and the key."""


class ModelTable(Section):
    """looked_up, source: when and where the facts were found. See models.yaml for the rest."""

    looked_up: date
    source: str = ""
    usd_per_million_tokens: dict[str, Price] = Field(default_factory=dict)
    service_tiers: dict[str, Amount] = Field(default_factory=dict)
    service_tiers_of: dict[str, dict[str, Amount]] = Field(default_factory=dict)
    shutdown: dict[str, date] = Field(default_factory=dict)


def model_table() -> ModelTable:
    """The table that ships, with the person's own entries in place of its own. Errors: ModelTableError."""
    own = own_file()
    return _merged(own, own.stat().st_mtime_ns if own.is_file() else 0)


def own_file() -> Path:
    """Where the person's own table is, if there is one."""
    base = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(base, "metricloop", "models.yaml")


def names_of(model: str) -> tuple[str, ...]:
    """The names under which a model may stand in a table: its own, and without the date of a snapshot."""
    return tuple(dict.fromkeys((model, SNAPSHOT.sub("", model))))


@cache
def _merged(own: Path, changed: int) -> ModelTable:
    shipped = _read(SHIPPED)
    if not changed:
        return shipped
    mine = _read(own)
    both = {
        name: getattr(shipped, name) | getattr(mine, name)
        for name in ("usd_per_million_tokens", "service_tiers", "service_tiers_of", "shutdown")
    }
    return ModelTable(looked_up=mine.looked_up, source=mine.source or str(own), **both)


def _read(path: Path) -> ModelTable:
    try:
        return ModelTable.model_validate(read_yaml(path))
    except ValidationError as error:
        fault = error.errors()[0]
        where = ".".join(map(str, fault["loc"]))
        raise ModelTableError(f"{path}: {where or 'the whole file'}: {fault['msg']}") from None
    except (TableError, OSError, ValueError, RecursionError) as error:  # ValueError: also for a day such as 2026-13-45
        raise ModelTableError(f"{path} cannot be read: {error}") from None
