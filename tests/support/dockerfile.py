"""Read a Dockerfile, and find what is wrong with it: the rules of hadolint and of Docker that matter here."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath

EXEC = ("CMD", "ENTRYPOINT")


@dataclass(frozen=True)
class Step:
    """One instruction. name: in capitals; text: what follows it, on one line."""

    name: str
    text: str

    @property
    def words(self) -> list[str]:
        """The words of an instruction without quotes in it, or the list of one in exec form."""
        return json.loads(self.text) if self.text.startswith("[") else self.text.split()


def read_dockerfile(text: str) -> list[Step]:
    """The instructions, without comments; continued lines are joined."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    found = [line.strip().partition(" ") for line in joined.splitlines() if line.strip()]
    return [Step(name.upper(), re.sub(r"\s+", " ", rest.strip())) for name, _, rest in found]


def faults(text: str, folder: Path) -> list[str]:
    """What is wrong with a Dockerfile whose context is `folder`; [] for a good one."""
    steps = read_dockerfile(text)
    return [*_base(steps), *_user(steps), *_start(steps), *_health(steps), *_installs(steps), *_copies(steps, folder)]


def _base(steps: list[Step]) -> Iterator[str]:
    if not steps or steps[0].name != "FROM":
        yield "the first instruction is not FROM"
    for step in steps:
        if step.name == "FROM":
            _, mark, tag = step.words[0].rpartition("/")[2].partition(":")
            if not mark or tag == "latest":
                yield f"the base {step.words[0]} is not pinned"


def _user(steps: list[Step]) -> Iterator[str]:
    last = [step.words[0] for step in steps if step.name == "USER"]
    if not last or last[-1].partition(":")[0] in ("root", "0"):
        yield "it runs as root"
    order = [step.name for step in steps]
    if "USER" in order and "CMD" in order and order.index("CMD") < order.index("USER"):
        yield "USER comes after CMD"


def _start(steps: list[Step]) -> Iterator[str]:
    starts = [step for step in steps if step.name in EXEC]
    if not starts:
        yield "nothing is started: no CMD"
    for step in starts:
        if not step.text.startswith("["):
            yield f"{step.name} is not in exec form, so signals do not reach the process"
    if [step.name for step in starts].count("CMD") > 1:
        yield "several CMD: only the last one counts"


def _health(steps: list[Step]) -> Iterator[str]:
    checks = [step.text for step in steps if step.name == "HEALTHCHECK"]
    if not checks:
        yield "no HEALTHCHECK"
    for text in checks:
        if re.search(r"\b(curl|wget)\b", text):
            yield "HEALTHCHECK uses curl or wget, which a slim image lacks"


def _installs(steps: list[Step]) -> Iterator[str]:
    for step in steps:
        if step.name == "ADD":
            yield "ADD where COPY is enough" if "://" not in step.text else "ADD of an address"
        if step.name == "RUN" and "pip install" in step.text and "--no-cache-dir" not in step.text:
            yield "pip install keeps its cache in the image: --no-cache-dir"
        if step.name == "RUN" and re.search(r"\bsudo\b|apt-get upgrade", step.text):
            yield f"RUN {step.text}"
    if any(step.name == "WORKDIR" and not step.text.startswith("/") for step in steps):
        yield "WORKDIR is not absolute"


def _copies(steps: list[Step], folder: Path) -> Iterator[str]:
    ignored = folder / ".dockerignore"
    rules = read_ignored(ignored.read_text()) if ignored.is_file() else []
    for step in steps:
        if step.name == "COPY":
            for source in [word for word in step.words if not word.startswith("--")][:-1]:
                if not (folder / source).exists():
                    yield f"COPY {source}: there is no such file"
                elif is_ignored(source, rules):
                    yield f"COPY {source}: .dockerignore leaves it out"


def read_ignored(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]


def is_ignored(path: str, rules: list[str]) -> bool:
    """Whether .dockerignore leaves a path out: the last rule that matches it, or a folder above it, decides."""
    ignored = False
    pure = PurePosixPath(path)
    for rule in rules:
        pattern = rule.lstrip("!").strip("/")
        places = [pure, *pure.parents][:-1] if len(pure.parts) else []
        if any(_matches(place, pattern) for place in places):
            ignored = not rule.startswith("!")
    return ignored


def _matches(place: PurePosixPath, pattern: str) -> bool:
    if pattern.startswith("**/"):
        return any(fnmatch(part, pattern.removeprefix("**/")) for part in place.parts)
    return len(place.parts) == len(PurePosixPath(pattern).parts) and fnmatch(str(place), pattern)
