"""One world for the whole suite; it is planted before any zygote starts, so that there is something to inherit."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

import pytest
from world import World

from metricloop.sandbox import project
from metricloop.sandbox.supervisor import Sandbox
from metricloop.sandbox.tiers import missing
from metricloop.scoring import sandboxed


@pytest.fixture(scope="session")
def planted():
    if lacks := missing():
        pytest.skip(f"no sandbox here: {'; '.join(lacks)}")
    made = World()
    yield made
    made.close()


@pytest.fixture
def world(planted):
    planted.reset()
    yield planted
    planted.reset()


@pytest.fixture(scope="module")
def sandbox(planted):
    """One zygote for both ways in; a test sets `limits` as it needs them."""
    with Sandbox((*sandboxed.ENTRIES, *project.ENTRIES)) as made:
        yield made


@pytest.fixture
def folder():
    """A folder that everyone may look into, on the file system of the world."""
    made = Path(tempfile.mkdtemp(prefix="escape-project-"))
    os.chmod(made, 0o755)
    yield made
    subprocess.run(["rm", "-rf", "--", str(made)], check=True)  # copes with any depth
