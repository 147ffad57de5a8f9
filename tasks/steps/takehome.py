"""takehome: run the take-home of the current folder, and show it in MLflow."""

from __future__ import annotations

import sys
from pathlib import Path

from metricloop.runtime.stage_start import ROUNDS_LOCK, die_with_ancestors, hold_lock, tell_errors_briefly
from metricloop.takehome.run import run
from metricloop.takehome.settings import save_settings
from metricloop.tracking.takehome_runs import track_takehome


def main(rounds: int) -> None:
    """rounds: further rounds of improvement; fewer than in params.yaml change nothing."""
    tell_errors_briefly("takehome")
    die_with_ancestors()
    hold_lock(ROUNDS_LOCK)
    folder = Path()
    if rounds:
        save_settings(folder, {"takehome": {"rounds": rounds}})
    card = run(folder)
    track_takehome(folder)
    print(f"{card.unaided} of {len(card.rows)} checks passed, {card.at_once} of them at once")


if __name__ == "__main__":
    main(int(sys.argv[1]))
