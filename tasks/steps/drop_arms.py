"""drop_arms: remove the arms of suggested metrics that failed on the pool."""

from __future__ import annotations

from pathlib import Path

from metricloop.engineer.drop_arms import drop_failed_arms
from metricloop.runtime.stage_start import ROUNDS_LOCK, die_with_ancestors, hold_lock, tell_errors_briefly


def main() -> None:
    tell_errors_briefly("drop")
    die_with_ancestors()
    hold_lock(ROUNDS_LOCK)
    drop_failed_arms(Path())


if __name__ == "__main__":
    main()
