"""The check of Dockerfiles finds what it is there for."""

import pytest
from dockerfile import Step, faults, is_ignored, read_dockerfile

GOOD = """
# a comment
FROM python:3.11-slim
WORKDIR /app
COPY app.py ./
RUN python -m pip install --no-cache-dir \\
    numpy==2.0
USER 10001
HEALTHCHECK --interval=30s CMD ["python", "-c", "pass"]
CMD ["python", "app.py"]
"""
NO_EXEC = "CMD is not in exec form, so signals do not reach the process"
NO_CURL = "HEALTHCHECK uses curl or wget, which a slim image lacks"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "app.py").write_text("")
    return tmp_path


def test_the_instructions():
    steps = read_dockerfile(GOOD)
    assert [step.name for step in steps] == ["FROM", "WORKDIR", "COPY", "RUN", "USER", "HEALTHCHECK", "CMD"]
    assert steps[3] == Step("RUN", "python -m pip install --no-cache-dir numpy==2.0")
    assert steps[-1].words == ["python", "app.py"]


def test_a_good_one(folder):
    assert faults(GOOD, folder) == []


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("python:3.11-slim", "python", "the base python is not pinned"),
        ("python:3.11-slim", "python:latest", "the base python:latest is not pinned"),
        ("USER 10001\n", "", "it runs as root"),
        ("USER 10001", "USER root", "it runs as root"),
        ("USER 10001", "USER 0:0", "it runs as root"),
        (
            'CMD ["python", "app.py"]',
            "CMD python app.py",
            NO_EXEC,
        ),
        ('CMD ["python", "app.py"]\n', "", "nothing is started: no CMD"),
        ('HEALTHCHECK --interval=30s CMD ["python", "-c", "pass"]', "", "no HEALTHCHECK"),
        (
            'CMD ["python", "-c", "pass"]',
            "CMD curl localhost",
            NO_CURL,
        ),
        ("--no-cache-dir ", "", "pip install keeps its cache in the image: --no-cache-dir"),
        ("COPY app.py ./", "COPY other.py ./", "COPY other.py: there is no such file"),
        ("COPY app.py ./", "ADD https://example.org/app.py ./", "ADD of an address"),
        ("WORKDIR /app", "WORKDIR app", "WORKDIR is not absolute"),
    ],
)
def test_one_fault(folder, old, new, fault):
    assert old in GOOD
    assert faults(GOOD.replace(old, new), folder) == [fault]


def test_a_file_that_is_left_out(folder):
    (folder / ".dockerignore").write_text("*\n!other\n")
    assert faults(GOOD, folder) == ["COPY app.py: .dockerignore leaves it out"]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("a", True),
        ("b", False),
        ("b/c", False),
        ("b/secret", True),
        ("b/__pycache__", True),
        ("b/x/__pycache__/y", True),
    ],
)
def test_what_is_ignored(path, expected):
    assert is_ignored(path, ["*", "!b", "b/secret", "**/__pycache__"]) is expected
