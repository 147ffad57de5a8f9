"""drop_arms: a suggested metric that failed while the pool was scored loses its arm."""

from __future__ import annotations

from pathlib import Path

from metricloop.engineer.drop_arms import drop
from metricloop.runtime.process_guard import ROUNDS_LOCK, hold, tell_errors_briefly, tie_to_ancestors


def main() -> None:
    tell_errors_briefly("drop")
    tie_to_ancestors()
    hold(ROUNDS_LOCK)
    drop(Path())


if __name__ == "__main__":
    main()
