"""track: bring the MLflow runs of the study up to date."""

from __future__ import annotations

from pathlib import Path

from metricloop.tracking.track import track


def main() -> None:
    summary = track(Path.cwd())
    print(f"MLflow: {summary.made} runs made, {summary.deleted} deleted, {summary.unchanged} unchanged")


if __name__ == "__main__":
    main()
