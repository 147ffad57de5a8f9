"""report: write the study's page, report.html."""

from __future__ import annotations

from pathlib import Path

from metricloop.params import load_params
from metricloop.report.study_page import write_report
from metricloop.runtime.stage_start import tell_errors_briefly


def main() -> None:
    tell_errors_briefly("report")
    print(write_report(Path.cwd(), load_params().data.folder))


if __name__ == "__main__":
    main()
