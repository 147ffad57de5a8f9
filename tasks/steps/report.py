"""report: write the study's page, report.html."""

from __future__ import annotations

from pathlib import Path

from metricloop.params import load_params
from metricloop.report.study_page import write_report


def main() -> None:
    print(write_report(Path.cwd(), load_params().data.folder))


if __name__ == "__main__":
    main()
