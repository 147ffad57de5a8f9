"""track: show the study in MLflow."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    pass
from metricloop.tracking.track import track


def main() -> None:
    summary = track(Path.cwd())
    print(f"MLflow: {summary.made} runs made, {summary.deleted} deleted, {summary.unchanged} as before")


if __name__ == "__main__":
    main()
