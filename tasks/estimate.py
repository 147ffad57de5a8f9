"""estimate: time a few iterations of the study's detector, and print the times as JSON for --dry-run."""

from __future__ import annotations

import json
import time

BEGAN = time.monotonic()  # before the imports, which are part of what a stage costs


def main() -> None:
    from metricloop.params import load_params
    from metricloop.runtime.stage_start import tell_errors_briefly
    from metricloop.training.timing import time_detector

    tell_errors_briefly("estimate")
    print(json.dumps(time_detector(load_params(), BEGAN)))


if __name__ == "__main__":
    main()
