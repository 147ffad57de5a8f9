"""register: show the promoted detectors in the workspace's MLflow, and at MLFLOW_TRACKING_URI where that is set."""

from __future__ import annotations

import os
from pathlib import Path

from metricloop import layout
from metricloop.runtime.stage_start import hold_lock, tell_errors_briefly
from metricloop.tracking.registry import URI, register, without_password
from metricloop.tracking.track import track
from metricloop.tracking.write_run import database_uri


def main() -> None:
    tell_errors_briefly("register")
    hold_lock(Path(layout.LOCKS, "track.lock"))
    folder = Path.cwd()
    track(folder)
    uri = os.environ.get(URI, "")
    if uri and uri != database_uri(folder):
        shown = register(folder, uri)
        print(f"registered at {without_password(uri)}: version {', '.join(shown.values())}")


if __name__ == "__main__":
    main()
