"""check_bundle: serve a bundle, send it pictures of the pool, and compare the answers with the detector on torch."""

from __future__ import annotations

import argparse
from pathlib import Path

from metricloop.delivery.bundle_pictures import pictures_for_check
from metricloop.delivery.check_bundle import check_bundle
from metricloop.runtime.stage_start import die_with_ancestors, tell_errors_briefly

PICTURES = 4


def main() -> None:
    tell_errors_briefly("check_bundle")
    die_with_ancestors()
    parser = argparse.ArgumentParser()
    parser.add_argument("bundle", type=Path)
    bundle = parser.parse_args().bundle
    agreed = check_bundle(bundle, pictures_for_check(Path())[:PICTURES])
    print(f"{bundle}: its server answers as torch does: {agreed}")


if __name__ == "__main__":
    main()
