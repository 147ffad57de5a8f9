"""Compile the packages that a study imports to bytecode, and no others: `pip install --no-compile` has left it to us.

Compiling everything takes a third of a gigabyte and half a minute more. Stages, and code in the sandbox, cannot write
bytecode, so what they may import is compiled here.
"""

import compileall
import importlib
import pkgutil
import re
import sys
from pathlib import Path

PROGRAMS = ("dvc.cli.parser", "mlflow.server", "mlflow.pyfunc", "prefect.server.api.server", "openai")
WHOLE = ("cv2", "numpy", "pandas", "scipy", "sklearn", "flask", "fastapi", "pytest", "_pytest", "bs4", "httpx")


def main() -> None:
    """Import each module of metricloop and the programs it calls; compile whole what generated code may import."""
    sys.dont_write_bytecode = False  # whatever PYTHONDONTWRITEBYTECODE says
    package = importlib.import_module("metricloop")
    ours = [module.name for module in pkgutil.walk_packages(package.__path__, "metricloop.")]
    for name in [*ours, *PROGRAMS]:
        if not name.endswith("__main__"):
            importlib.import_module(name)
    for name in WHOLE:
        folder = Path(importlib.import_module(name).__file__ or "").parent
        compileall.compile_dir(folder, quiet=2, rx=re.compile("/tests/"))


if __name__ == "__main__":
    main()
