"""estimate: time a few iterations of the detector of a params.yaml that it reads from its standard input, and print the
times as JSON for --dry-run."""

from __future__ import annotations

import json
import sys
import time

BEGAN = time.monotonic()  # before the imports, which are part of what a stage costs


def main() -> None:
    import yaml

    from metricloop.params import check_params
    from metricloop.runtime.stage_start import tell_errors_briefly
    from metricloop.training.timing import time_detector

    tell_errors_briefly("estimate")
    params = check_params(yaml.safe_load(sys.stdin.read()))  # not those of params.yaml, which --set may change
    print(json.dumps(time_detector(params, BEGAN)))


if __name__ == "__main__":
    main()
