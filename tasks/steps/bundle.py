"""bundle: write the champion and its server into a folder; one that holds this champion already is left as it is."""

from __future__ import annotations

import argparse
from pathlib import Path

from metricloop.delivery.bundle import MODEL, make_bundle
from metricloop.delivery.bundle_pictures import pictures_for_check
from metricloop.delivery.detector_folder import is_detector, read_facts
from metricloop.delivery.promoted import champion
from metricloop.runtime.stage_start import die_with_ancestors, tell_errors_briefly


def main() -> None:
    tell_errors_briefly("bundle")
    die_with_ancestors()
    parser = argparse.ArgumentParser()
    parser.add_argument("target", type=Path)
    target, source, here = parser.parse_args().target, champion(Path()), Path()
    held = target / MODEL
    if is_detector(held) and read_facts(held).items() >= read_facts(source).items():
        print(f"{target} holds this detector already")
        return
    written = make_bundle(source, target, pictures_for_check(here))
    print(f"{target}: {written.megabytes:.1f} MB; onnxruntime finds what torch finds: {written.agreement}")


if __name__ == "__main__":
    main()
