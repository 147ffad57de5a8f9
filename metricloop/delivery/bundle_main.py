"""Serve the detector of this bundle: python -m detector_server. It becomes the entry point of a bundle's server."""

from __future__ import annotations

import argparse
import os
import sys
import urllib.error
import urllib.request
from pathlib import Path

PACKAGE = (__package__ or "detector_server").partition(".")[0]
HOST_HELP = "or DETECTOR_HOST; behind a proxy on this machine, set METRICLOOP_SERVE_HOSTS to the proxy's name"
MODEL = Path(__file__).parents[1] / "model"


def main(typed: list[str] | None = None) -> int:
    """Serve until stopped, or with --check ask a running server; returns the exit status."""
    environment = os.environ
    parser = argparse.ArgumentParser(
        prog=f"python -m {PACKAGE}",
        description="Serve the detector of this bundle over HTTP. Limits: METRICLOOP_SERVE_..., see README.md.",
    )
    parser.add_argument("--host", default=environment.get("DETECTOR_HOST", "127.0.0.1"), help=HOST_HELP)
    parser.add_argument("--port", type=int, default=environment.get("PORT", "8000"), help="or PORT; 8000")
    parser.add_argument(
        "--threads", type=int, default=environment.get("DETECTOR_THREADS", "0"), help="or DETECTOR_THREADS; all cores"
    )
    parser.add_argument("--model", type=Path, default=MODEL, help="folder of detector.json and model.onnx")
    parser.add_argument("--check", action="store_true", help="only ask whether the server on this port is ready")
    options = parser.parse_args(typed)
    if options.check:
        return check(options.port)

    from metricloop.delivery.onnx_detector import load
    from metricloop.serving.limits import read_limits
    from metricloop.serving.server import serve

    try:
        limits = read_limits()
        serve(load(options.model, options.threads), options.host, options.port, limits)
    except (ValueError, OSError) as error:
        print(f"{PACKAGE}: {error}", file=sys.stderr)
        return 1
    return 0


def check(port: int) -> int:
    """0 when the server on this machine's `port` is ready, else 1; the health check of the container."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/ready", timeout=4) as answer:
            return 0 if answer.status == 200 else 1
    except (urllib.error.URLError, OSError) as error:
        print(f"not ready: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
