"""What every application must be and what its checks allow; the prompt and the checks are made of this."""

from __future__ import annotations

import sys
from importlib.metadata import PackageNotFoundError, version

# What an application may import, by the name it is imported with, and the package that has to be installed for it.
PACKAGES = {
    "bs4": "beautifulsoup4", "fastapi": "fastapi", "flask": "flask", "httpx": "httpx", "joblib": "joblib",
    "numpy": "numpy", "pandas": "pandas", "PIL": "pillow", "pydantic": "pydantic", "pytest": "pytest",
    "scipy": "scipy", "sklearn": "scikit-learn", "uvicorn": "uvicorn",
}  # fmt: skip
SERVERS = ("gunicorn", "uvicorn", "waitress", "flask")  # programs that may start the endpoint in the Docker image

DATA, MODEL, TESTS = "data", "model", "tests"  # folders
TRAIN, EXTRACT, PREDICT, APP = "train.py", "extract.py", "predict.py", "app.py"
ITEMS, PREDICTIONS, NUMBERS = "items.csv", "predictions.csv", "metrics.json"
REQUIREMENTS, DOCKERFILE, README = "requirements.txt", "Dockerfile", "README.md"

MOST_FILES, MOST_CHARACTERS, MOST_IN_ALL = 40, 40_000, 200_000  # of an application
LONGEST_FILE = 200  # lines of one Python file
LINE_LENGTH = 120
RULES = ("E4", "E5", "E7", "E9", "F", "B")  # of ruff
MEMORY_MB = 2048
SECONDS = 120  # for everything but training

# Names that would hide a module from our own code, or be imported without being asked for.
RESERVED = frozenset({*sys.stdlib_module_names, *PACKAGES, "sitecustomize", "usercustomize", "starlette", "werkzeug"})


def missing_packages() -> list[str]:
    """The packages of PACKAGES that are not installed here."""
    lacks = []
    for package in PACKAGES.values():
        try:
            version(package)
        except PackageNotFoundError:
            lacks.append(package)
    return lacks
