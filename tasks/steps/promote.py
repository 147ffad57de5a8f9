"""promote: train the detector of an arm with fresh seeds and keep the best one under promoted/."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from metricloop import layout
from metricloop.delivery.promote import SEEDS, Wish, promote
from metricloop.runtime.stage_start import die_with_ancestors, hold_lock, tell_errors_briefly


def wish_from_arguments(arguments: list[str] | None = None) -> Wish:
    """The arguments of this step: `[ARM] [--anyway] [--share S] [--seeds N]`."""
    parser = argparse.ArgumentParser()
    parser.add_argument("arm", nargs="?")
    parser.add_argument("--anyway", action="store_true")
    parser.add_argument("--share", type=float)
    parser.add_argument("--seeds", type=int, default=SEEDS)
    return Wish(**vars(parser.parse_args(arguments)))


def main() -> None:
    os.environ["PYTHONSAFEPATH"] = "1"  # for the trials' processes, as in every stage
    tell_errors_briefly("promote")
    die_with_ancestors()
    hold_lock(Path(layout.LOCKS, "promote.lock"))
    found = promote(wish_from_arguments())
    done = "trained" if found.trained else "the same weights as before, other facts" if found.made else "known already"
    print(f"version {found.version} is the champion: {found.facts['arm']}, {done}")


if __name__ == "__main__":
    main()
