"""track: bring the MLflow runs of the study up to date, and those at MLFLOW_TRACKING_URI where that is set."""

from __future__ import annotations

import os
from pathlib import Path

from metricloop import layout
from metricloop.runtime.stage_start import hold_lock, tell_errors_briefly
from metricloop.tracking.mirror import mirrored
from metricloop.tracking.registry import URI
from metricloop.tracking.track import track


def main() -> None:
    tell_errors_briefly("track")
    hold_lock(Path(layout.LOCKS, "track.lock"))
    folder = Path.cwd()
    summary = track(folder)
    print(f"MLflow: {summary.made} runs made, {summary.deleted} deleted, {summary.unchanged} unchanged")
    if told := mirrored(folder, os.environ.get(URI, "")):
        print(told)


if __name__ == "__main__":
    main()
