"""The server of a bundle as on a machine where neither metricloop nor torch is installed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from metricloop.delivery.bundle_code import PACKAGE
from metricloop.delivery.bundle_server import clean_environment

SECONDS = 60  # on a busy machine
# As `python -m PACKAGE` in a folder, on a machine where these packages are not installed.
WITHOUT = ("metricloop", "torch", "torchvision", "mlflow", "pyarrow", "pandas", "scipy", "jinja2", "onnx")
ISOLATED = f"""
import sys
sys.modules.update(dict.fromkeys({WITHOUT!r}))
sys.path.insert(0, ".")
from {PACKAGE}.__main__ import main
sys.exit(main(sys.argv[1:]))
"""


def isolated(*typed: str) -> list[str]:
    """The command line of a bundle's server, with this Python."""
    return [sys.executable, "-P", "-c", ISOLATED, *typed]


def run(folder: Path, *typed: str, **environment: str) -> subprocess.CompletedProcess:
    """Run the entry point in the folder of a bundle until it ends."""
    return subprocess.run(
        isolated(*typed), cwd=folder, env=clean_environment() | environment, capture_output=True, text=True,
        check=False, timeout=SECONDS,
    )  # fmt: skip
