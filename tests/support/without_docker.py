"""Carry out the steps of a Dockerfile without Docker: in an empty virtual environment and an empty folder."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dockerfile import Step, is_ignored, read_dockerfile, read_ignored

PIP_SECONDS = 600


@dataclass
class Image:
    """What the steps have made so far. root: stands for the container's /; user: a number, None for this one."""

    root: Path
    environment: dict[str, str] = field(default_factory=dict)
    folder: Path = Path()
    user: int | None = None
    health: list[str] = field(default_factory=list)
    start: list[str] = field(default_factory=list)

    @property
    def python(self) -> Path:
        return self.root / "venv" / "bin" / "python"

    def command(self, words: Sequence[str]) -> list[str]:
        """A command of the Dockerfile, with the Python of the virtual environment."""
        assert words[0] == "python", f"only Python is known here, not {words[0]}"
        return [str(self.python), *words[1:]]

    def inside(self, path: str) -> Path:
        """A path of the container."""
        return self.root / path.lstrip("/") if path.startswith("/") else self.folder / path


def build(context: Path, root: Path) -> Image:
    """Carry out all steps of `context`/Dockerfile; `root` is an empty folder."""
    image = Image(root)
    for step in read_dockerfile((context / "Dockerfile").read_text()):
        STEPS[step.name](image, step, context)
    return image


def _from(image: Image, step: Step, context: Path) -> None:
    assert step.text.startswith(f"python:{sys.version_info[0]}.{sys.version_info[1]}-")
    subprocess.run([sys.executable, "-m", "venv", image.root / "venv"], check=True)


def _env(image: Image, step: Step, context: Path) -> None:
    image.environment |= dict(pair.split("=", 1) for pair in shlex.split(step.text))


def _workdir(image: Image, step: Step, context: Path) -> None:
    image.folder = image.inside(step.text)
    image.folder.mkdir(parents=True)


def _copy(image: Image, step: Step, context: Path) -> None:
    rules = read_ignored((context / ".dockerignore").read_text())

    def left_out(folder: str, names: list[str]) -> list[str]:
        here = Path(folder).relative_to(context)
        return [name for name in names if is_ignored(str(here / name), rules)]

    source, target = step.words
    if (context / source).is_dir():  # Docker copies what is in a folder, not the folder itself
        shutil.copytree(context / source, image.inside(target), ignore=left_out, dirs_exist_ok=True)
    else:
        shutil.copy(context / source, image.inside(target))


def _run(image: Image, step: Step, context: Path) -> None:
    command = image.command(shlex.split(step.text))
    proxies = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
    environment = {"PATH": os.defpath, **proxies, **image.environment}
    done = subprocess.run(
        command, cwd=image.folder, env=environment, capture_output=True, text=True, check=False, timeout=PIP_SECONDS
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]


def _user(image: Image, step: Step, context: Path) -> None:
    user, group = map(int, step.text.split(":"))
    assert user == group > 0
    image.user = user if _can_run_as(user, image) else None


def _can_run_as(user: int, image: Image) -> bool:
    """Whether this test may become that user, and that user may read this Python, which may be in a private folder."""
    try:
        command = [image.python, "-c", ""]
        done = subprocess.run(command, cwd="/", user=user, group=user, capture_output=True, check=False)
    except PermissionError:
        return False
    return done.returncode == 0


def _health(image: Image, step: Step, context: Path) -> None:
    image.health = image.command(json.loads(step.text.partition("CMD ")[2]))


def _cmd(image: Image, step: Step, context: Path) -> None:
    image.start = image.command(step.words)


def _expose(image: Image, step: Step, context: Path) -> None:
    assert step.text == image.environment["PORT"]


STEPS = {"FROM": _from, "ENV": _env, "WORKDIR": _workdir, "COPY": _copy, "RUN": _run, "USER": _user,
         "HEALTHCHECK": _health, "CMD": _cmd, "EXPOSE": _expose}  # fmt: skip
