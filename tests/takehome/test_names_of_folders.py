"""No check overlooks a file of an application for the folder that it is in."""

from __future__ import annotations

import pytest
from tiny_takehome import WHOLE

from metricloop.takehome.checks import dockerfile, lint, structure


class Files:
    """As much of a bench as these checks read."""

    def __init__(self, changes):
        self.files = WHOLE | changes


@pytest.mark.parametrize("folder", ["dist", "venv", "node_modules", "site-packages", "build", "shop"])
def test_lint_reads_every_folder(folder):
    assert lint.check(Files({})).passed
    assert "F401" in lint.check(Files({f"{folder}/extra.py": "import os\n"})).said


LONG = "".join(f"x{number} = {number}\n" for number in range(300))


@pytest.mark.parametrize(
    "words", ["import tests.long", "from tests import long", "from tests.more import x", "import long"]
)
def test_a_test_that_the_application_imports_counts(words):
    tests = {"tests/long.py": LONG, "tests/more.py": "from .long import x1 as x\n"}
    assert structure.check(Files(tests)).passed
    changes = {**tests, "train.py": f"{words}\n{WHOLE['train.py']}"}
    assert "tests/long.py has 300 lines" in structure.check(Files(changes)).said


def test_what_such_a_test_imports_must_be_installed():
    changes = {"tests/long.py": "import sklearn\n"}
    assert dockerfile.check(Files(changes)).passed
    changes["train.py"] = f"import tests.long\n{WHOLE['train.py']}"
    assert "lacks scikit-learn" in dockerfile.check(Files(changes)).said
