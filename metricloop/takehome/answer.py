"""The answers of the model: files of an application, or a plan, read from JSON and checked. No code is run here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Annotated, Any

from pydantic import BaseModel, Field, ValidationError

from metricloop.llm.extract import json_in
from metricloop.takehome.contract import DATA, MODEL, MOST_CHARACTERS, MOST_FILES, MOST_IN_ALL, RESERVED
from metricloop.text.clean import clean, printable

PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)*")
PLAIN = {".dockerignore", ".gitignore", "Dockerfile", "Makefile", "LICENSE"}
ENDINGS = {".py", ".md", ".txt", ".toml", ".ini", ".cfg", ".yaml", ".yml", ".json", ".html", ".css", ".csv"}
OURS = "metricloop"  # what our own files in a run begin with

Files = dict[str, str]


class AnswerError(ValueError):
    """An answer cannot be used; the message says what is wrong with it, for the model."""


class File(BaseModel):
    """A file of an answer. content: None removes the file."""

    path: Annotated[str, Field(min_length=1, max_length=100)]
    content: Annotated[str, Field(max_length=MOST_CHARACTERS)] | None


class Handed(BaseModel):
    """What the model hands in: new and changed files, and a note in its own words."""

    files: Annotated[list[File], Field(min_length=1, max_length=MOST_FILES)]
    note: Annotated[str, Field(max_length=4000)] = ""


def read_files(text: str, before: Mapping[str, str]) -> Files:
    """The application after an answer. before: the files that it had. Errors: AnswerError."""
    return applied(read_handed(text), before)


def read_handed(text: str) -> Handed:
    """The files and the note of an answer, each file with a path that is allowed. Errors: AnswerError."""
    try:
        handed = Handed.model_validate(json_in(text))
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, fault['loc'])) or 'answer'}: {fault['msg']}" for fault in error.errors()[:5]]
        raise AnswerError("; ".join(clean(fault) for fault in faults)) from None
    except ValueError as error:
        raise AnswerError(str(error)) from None
    faults = [fault for file in handed.files if (fault := fault_of(file.path))]
    paths = [file.path for file in handed.files]
    faults += [f"{clean(path)} is there twice" for path in sorted({p for p in paths if paths.count(p) > 1})]
    if faults:
        raise AnswerError("; ".join(faults[:5]))
    return handed


def applied(handed: Handed, before: Mapping[str, str]) -> Files:
    """The files after an answer. Errors: AnswerError when they would be too many, too large, or in each other's way."""
    files = dict(before)
    for file in handed.files:
        if file.content is None:
            files.pop(file.path, None)
        else:
            files[file.path] = file.content if file.content.endswith("\n") else f"{file.content}\n"
    if len(files) > MOST_FILES or sum(map(len, files.values())) > MOST_IN_ALL:
        raise AnswerError(f"the application may have {MOST_FILES} files of {MOST_IN_ALL:,} characters in all")
    folders = {str(parent) for path in files for parent in PurePosixPath(path).parents}
    known: dict[str, str] = {}
    for path in sorted(files):
        if path in folders:
            raise AnswerError(f"{path} is a file and a folder; remove one with content null")
        if (other := known.setdefault(path.lower(), path)) != path:
            raise AnswerError(f"{other} and {path} differ only in capitals")
    return dict(sorted(files.items()))


def fault_of(path: str) -> str:
    """Why a file of the application cannot have this path; "" when it can."""
    name, parts = clean(repr(path)), path.split("/")
    if parts[-1] in PLAIN and len(parts) == 1:
        return ""
    if len(parts) > 4 or not all(PART.fullmatch(part) for part in parts):
        return f"{name} is no relative path of plain names (letters, digits, _ - and ., at most 4 deep)"
    if parts[0] in (DATA, MODEL):
        return f"{name}: {parts[0]}/ is made by the course and not handed in"
    if PurePosixPath(path).suffix not in ENDINGS:
        return f"{name}: files end in {', '.join(sorted(ENDINGS))}, or are {', '.join(sorted(PLAIN))}"
    module = parts[0].removesuffix(".py")
    if path.endswith(".py") and (module in RESERVED or module.startswith(OURS)):
        return f"{name}: a module {module} would hide an installed one; choose another name"
    return ""


def read_plan(text: str) -> str:
    """The plan in an answer: its JSON field `plan`, or the words themselves. Errors: AnswerError when it is empty."""
    try:
        answer: Any = json_in(text)
    except ValueError:
        answer = text
    plan = answer.get("plan") if isinstance(answer, dict) else text
    if not isinstance(plan, str) or not plan.strip():
        raise AnswerError('the answer must be an object {"plan": "..."}')
    return printable(plan.strip())[:12_000]


def _schema(name: str, properties: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "schema": _object(properties)}


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


_FILE = _object({
    "path": {"type": "string", "description": "relative, such as tests/test_app.py"},
    "content": {"type": ["string", "null"], "description": "the whole text of the file; null removes the file"},
})  # fmt: skip
PLAN_SCHEMA = _schema("plan", {"plan": {"type": "string", "description": "the steps, in plain words"}})
FILES_SCHEMA = _schema("files", {
    "files": {"type": "array", "items": _FILE, "description": "new and changed files; the others stay as they are"},
    "note": {"type": "string", "description": "what you did and why, in two or three sentences"},
})  # fmt: skip
