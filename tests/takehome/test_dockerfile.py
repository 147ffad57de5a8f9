"""The Dockerfile is linted and compared with the files, and the requirements with the imports."""

from __future__ import annotations

import pytest
from tiny_takehome import DOCS, WHOLE

from metricloop.takehome.checks import dockerfile


class Files:
    """As much of a bench as this check reads."""

    def __init__(self, files):
        self.files = files


def said(**changes) -> str:
    """What the check says of the tiny application with changed files; "" when it passes."""
    names = {"docker": "Dockerfile", "needs": "requirements.txt", "app": "app.py"}
    return dockerfile.check(Files(WHOLE | {names[k]: v for k, v in changes.items()})).said


DOCKER = DOCS["Dockerfile"]


def test_a_good_one_passes():
    assert said() == ""


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("FROM python:3.11-slim", "FROM python", "not latest"),
        ("FROM python:3.11-slim", "FROM python:latest", "not latest"),
        ("WORKDIR /app\n", "", "no WORKDIR"),
        ("USER server\n", "", "runs as root"),
        ("USER server", "USER root", "runs as root"),
        ("EXPOSE 8000\n", "", "no EXPOSE"),
        ('CMD ["python", "app.py"]\n', "", "no CMD"),
        ('CMD ["python", "app.py"]', "CMD python app.py", "exec form"),
        ('"app.py"]', '"server.py"]', "server.py, which does not exist"),
        ('["python", "app.py"]', '["gunicorn", "app:app"]', "gunicorn, which requirements.txt does not install"),
        ('["python", "app.py"]', '["flask", "--app", "server:app"]', "no module server"),
        ('["python", "app.py"]', '["bash", "-c", "python app.py"]', "CMD starts bash"),
        ("COPY *.py ./", "COPY *.py server/ ./", "server/: there is no such file"),
        ("COPY *.py ./", "COPY app.py ./", "bayes.py is not copied"),
        ("COPY *.py ./", "ADD *.py ./", "use COPY"),
        ("--no-cache-dir ", "", "--no-cache-dir"),
        ("RUN pip install --no-cache-dir -r requirements.txt\n", "", "no RUN installs requirements.txt"),
        ("RUN useradd", "RUN sudo useradd", "sudo"),
        ("EXPOSE", "EXPOSED", "EXPOSED is no instruction"),
    ],
)
def test_what_is_wrong_is_told(old, new, expected):
    assert old in DOCKER
    assert expected in said(docker=DOCKER.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("COPY *.py ./", "COPY . ."),
        ("COPY *.py ./", 'COPY ["app.py", "bayes.py", "./"]'),
        ("COPY *.py ./", "COPY --chown=server app.py \\\n     bayes.py \\\n     ./"),
        ('["python", "app.py"]', '["flask", "--app", "app:app", "run"]'),
        ('["python", "app.py"]', '["python", "-m", "flask", "--app", "app", "run"]'),
        ('["python", "app.py"]', '["flask", "--app", "app:app", "run", "--host", "0.0.0.0:8000"]'),
        ("FROM", "# comment\nARG V=1\nFROM"),
        ("FROM python:3.11-slim", "FROM python@sha256:0123"),
    ],
)
def test_other_good_ways_pass(old, new):
    assert said(docker=DOCKER.replace(old, new)) == ""


def test_what_is_imported_must_be_installed():
    assert "lacks flask" in said(needs="pandas\n")
    assert "lacks scikit-learn" in said(app=WHOLE["app.py"].replace("import os\n", "import os\nimport sklearn\n"))
    assert said(needs="Flask>=3 ; python_version > '3'  # server\n") == ""
    assert "is no requirement" in said(needs="flask\nnot a requirement!\n")


def test_an_app_that_never_runs_a_server():
    """The article's second bug."""
    assert "never runs a server" in said(app=WHOLE["app.py"].partition("if __name__")[0])


def test_files_that_are_missing():
    assert "no Dockerfile and no requirements.txt" in dockerfile.check(Files({})).said
