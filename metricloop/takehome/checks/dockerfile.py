"""Dockerfile: linted by our rules, consistent with the files, and installs what the code imports."""

from __future__ import annotations

import fnmatch
import json
import re
import shlex
from collections.abc import Sequence

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from metricloop.takehome.answer import Files
from metricloop.takehome.bench import Bench
from metricloop.takehome.checks.structure import application
from metricloop.takehome.contract import APP, DATA, DOCKERFILE, MODEL, REQUIREMENTS, SERVERS
from metricloop.takehome.result import Result, failed, judged
from metricloop.takehome.source import foreign_imports, imports, module_of, modules, packages_of
from metricloop.text.clean import clean

INSTRUCTIONS = {
    "ADD", "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "LABEL", "RUN", "SHELL",
    "STOPSIGNAL", "USER", "VOLUME", "WORKDIR",
}  # fmt: skip
OBJECT = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*(\(\))?")  # app:app, and not 0.0.0.0:8000
Line = tuple[str, str]  # instruction, the rest


def check(bench: Bench) -> Result:
    if lacks := [name for name in (DOCKERFILE, REQUIREMENTS) if name not in bench.files]:
        return failed(f"there is no {' and no '.join(lacks)}")
    lines = instructions(bench.files[DOCKERFILE])
    required, faults = requirements(bench.files[REQUIREMENTS])
    faults += lint(lines)
    if not pip_installs(lines):
        faults.append(f"no RUN installs {REQUIREMENTS}")
    faults += copies(lines, bench.files) + starts(lines, bench.files, required) + installs(bench.files, required)
    return judged(faults, instructions=len(lines))


def instructions(text: str) -> list[Line]:
    """The instructions of a Dockerfile, with continued lines joined and comments left out."""
    joined = re.sub(r"\\[ \t]*\n(?:[ \t]*#[^\n]*\n)*", " ", re.sub(r"(?m)^[ \t]*#.*\n?", "", text))
    found = []
    for line in joined.splitlines():
        if line.strip():
            word, _, rest = line.strip().partition(" ")
            found.append((word.upper(), rest.strip()))
    return found


def lint(lines: Sequence[Line]) -> list[str]:
    """Breaches of the rules that every Dockerfile should keep."""
    words = [word for word, _ in lines]
    faults = [f"{clean(word, 40)} is no instruction" for word in words if word not in INSTRUCTIONS]
    first = next((word for word in words if word != "ARG"), "")
    if first != "FROM":
        faults.append("the first instruction must be FROM")
    for word, rest in lines:
        if word == "FROM":
            image = rest.split()[0] if rest.split() else ""
            name, _, tag = image.partition(":")
            if name != "scratch" and "@" not in image and not image.startswith("$") and tag in ("", "latest"):
                faults.append(f"FROM {clean(image, 60)}: give the image a tag that is not latest")
        if word == "ADD":
            faults.append("use COPY in place of ADD")
        if word == "RUN" and re.search(r"\bsudo\b", rest):
            faults.append("RUN with sudo: the build is root already")
        if word == "RUN" and "pip install" in rest and "--no-cache-dir" not in rest:
            faults.append("pip install without --no-cache-dir")
    last = words[len(words) - 1 - words[::-1].index("FROM") :] if "FROM" in words else words
    if "WORKDIR" not in last:
        faults.append("there is no WORKDIR")
    users = [rest for word, rest in lines if word == "USER"]
    if not users or users[-1].split(":")[0] in ("root", "0"):
        faults.append("it runs as root: create a user and set USER")
    if [word for word in words if word in ("CMD", "ENTRYPOINT")] == []:
        faults.append("there is no CMD")
    if "EXPOSE" not in words:
        faults.append("there is no EXPOSE for the port of the endpoint")
    return faults


def copies(lines: Sequence[Line], files: Files) -> list[str]:
    """COPY of files that do not exist, and what is needed and not copied."""
    faults, copied = [], set[str]()
    for word, rest in lines:
        parts = _words(rest)
        if word != "COPY" or any(part.startswith("--from") for part in parts):
            continue
        sources = [part for part in parts if not part.startswith("--")][:-1]
        for source in sources:
            found = _matching(source, files)
            if not found and source.strip("./") not in (MODEL, DATA):
                faults.append(f"COPY {clean(source, 60)}: there is no such file")
            copied |= found
    needed = {REQUIREMENTS, *needed_by(APP, files)} & set(files)
    faults += [f"{name} is not copied into the image" for name in sorted(needed - copied)]
    return faults


def needed_by(program: str, files: Files) -> set[str]:
    """A program and the files of the application that it imports, directly or not."""
    places = {module_of(name): name for name in files if name.endswith(".py")}
    todo, found = [program], set[str]()
    while todo:
        name = todo.pop()
        if name in found or name not in files:
            continue
        found.add(name)
        todo += [places[module] for module in imports(files[name]) if module in places]
    return found


def starts(lines: Sequence[Line], files: Files, required: set[str]) -> list[str]:
    """What is wrong with CMD and ENTRYPOINT: their form, and the files and programs that they name."""
    faults, argv = [], list[str]()
    for kind in ("ENTRYPOINT", "CMD"):
        for rest in [rest for word, rest in lines if word == kind][-1:]:
            try:
                words = json.loads(rest)
            except (ValueError, RecursionError):
                words = None
            if not isinstance(words, list) or not words or not all(isinstance(word, str) for word in words):
                faults.append(f'{kind} is not in the exec form, such as ["python", "app.py"]')
            else:
                argv += words
    if not argv or faults:
        return faults
    program = argv[0].rpartition("/")[2]
    scripts = [word for word in argv if word.endswith(".py")]
    faults += [f"CMD names {clean(word, 60)}, which does not exist" for word in scripts if _plain(word) not in files]
    if program not in ("python", "python3", *SERVERS):
        faults.append(f"CMD starts {clean(program, 40)}; start python, or one of {', '.join(SERVERS)}")
    module = argv[argv.index("-m") + 1] if "-m" in argv[:-1] else program
    if module in SERVERS and module not in required:
        faults.append(f"CMD starts {module}, which {REQUIREMENTS} does not install")
    for word in argv:
        if OBJECT.fullmatch(word) and word.partition(":")[0] not in modules(files):
            faults.append(f"CMD names {clean(word, 60)}; there is no module {clean(word.partition(':')[0], 40)}")
    if scripts and not faults and _plain(scripts[0]) == APP and ".run(" not in files[APP]:
        faults.append(f"CMD starts {APP}, which never runs a server")
    return faults


def installs(files: Files, required: set[str]) -> list[str]:
    """Packages that the code imports and requirements.txt does not name."""
    lacks = sorted(canonicalize_name(name) for name in packages_of(foreign_imports(application(files))))
    return [f"{REQUIREMENTS} lacks {name}, which the code imports" for name in lacks if name not in required]


def requirements(text: str) -> tuple[set[str], list[str]]:
    """The packages of a requirements.txt by their canonical names, and lines that pip would not understand."""
    names, faults = set(), []
    for line in text.splitlines():
        line = re.sub(r"(^|\s)#.*", "", line).strip()
        if not line:
            continue
        try:
            names.add(str(canonicalize_name(Requirement(line).name)))
        except InvalidRequirement:
            faults.append(f"{REQUIREMENTS}: {clean(repr(line), 60)} is no requirement")
    return names, faults


def pip_installs(lines: Sequence[Line]) -> bool:
    """Whether a RUN installs the requirements."""
    return any(word == "RUN" and "pip" in rest and REQUIREMENTS in rest for word, rest in lines)


def _matching(source: str, files: Files) -> set[str]:
    source = _plain(source)
    if source in ("", "."):
        return set(files)
    return {name for name in files if fnmatch.fnmatch(name, source) or name.startswith(f"{source.rstrip('/')}/")}


def _plain(path: str) -> str:
    return path.removeprefix("./").removeprefix("/app/").rstrip("/")


def _words(rest: str) -> list[str]:
    try:
        words = json.loads(rest) if rest.startswith("[") else shlex.split(rest)
    except ValueError:
        return rest.split()
    return [str(word) for word in words]
