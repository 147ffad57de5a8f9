"""The statistics of a study on trial: error rates, coverage and power, on simulated studies and on real trials.

OMP_NUM_THREADS=1 python -P benchmarks/statistics [WORKSPACE ...] > benchmarks/results/statistics.md

Simulated studies follow a hierarchical model (hierarchical.py). WORKSPACE is a finished study whose arms have many
seeds; studies are drawn from its trials. Both are tested in arrays (many_studies.py); before that, check_equal.py stops
unless the functions of metricloop.comparison, which test a real study, say the same. One process, one thread.
"""

from __future__ import annotations

import argparse
import platform
import sys
import time
from datetime import date
from pathlib import Path

from advice import baseline_seeds, expected_gains, seeds_needed_studies
from check_equal import check
from matrices import image_studies
from real import real_studies
from simulated import alternatives, headline_studies, null_studies, power_studies
from tallies import print_bars

PARTS = ("simulated", "advice", "matrices", "real")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workspaces", nargs="*", type=Path, metavar="WORKSPACE")
    parser.add_argument("--studies", type=int, default=3000, help="studies per line of a table, in thousands")
    parser.add_argument("--splits", type=int, default=40, help="search splits drawn from the images of a workspace")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="store what is read from workspaces, for next time")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    given = parser.parse_args()
    begin = time.perf_counter()
    check()
    command = " ".join(["OMP_NUM_THREADS=1 python -P benchmarks/statistics", *sys.argv[1:]])
    print(f"`{command}`, {date.today()}, one thread, Python {platform.python_version()}.\n")
    if "simulated" in given.parts:
        print(f"## Simulated studies\n\n{given.studies:,} studies per line.\n")
        null_studies(given.studies)
        alternatives(given.studies)
        power_studies(given.studies)
        headline_studies(given.studies)
    if "advice" in given.parts:
        print("## Advice\n")
        expected_gains(given.studies)
        seeds_needed_studies(given.studies // 12)
        baseline_seeds()
    if "matrices" in given.parts:
        image_studies(given.studies)
    for workspace in given.workspaces if "real" in given.parts else ():
        real_studies(workspace, given.studies, given.splits, given.keep)
    print_bars()
    print(f"{time.perf_counter() - begin:.0f} s in all.")


if __name__ == "__main__":
    main()
