"""Structure: no file does everything, and the programs share code by import, not by copy."""

from __future__ import annotations

import ast
from collections import Counter

from metricloop.takehome.answer import Files
from metricloop.takehome.bench import Bench
from metricloop.takehome.contract import APP, LONGEST_FILE, PREDICT, TRAIN
from metricloop.takehome.result import Result, failed, judged
from metricloop.takehome.source import code_lines, imports, local_imports, module_of, modules, parsed

MOST_SHARE = 0.5  # of the code that one file may hold
SMALLEST_COPY = 4  # statements of a function that may not be there twice


def check(bench: Bench) -> Result:
    files = application(bench.files)
    lines = {name: code_lines(text) for name, text in files.items()}
    total = sum(lines.values())
    if not total:
        return failed("there is no Python file")
    faults = [
        f"{name} has {count} lines of code; at most {LONGEST_FILE} in one file"
        for name, count in lines.items()
        if count > LONGEST_FILE
    ]
    faults += [
        f"{name} holds {100 * count / total:.0f} % of the code; at most {100 * MOST_SHARE:.0f} %"
        for name, count in lines.items()
        if count > MOST_SHARE * total
    ]
    faults += copies(files) + unshared(files)
    return judged(faults, files=len(files), lines=total, longest=max(lines.values()))


def is_test(name: str) -> bool:
    return name.startswith("tests/") or name.rpartition("/")[2] in ("conftest.py",)


def application(files: Files) -> Files:
    """The Python files that are no tests, and those among the tests that they import."""
    code = {name: text for name, text in files.items() if name.endswith(".py")}
    found = {name: text for name, text in code.items() if not is_test(name)}
    places: dict[str, str] = {}  # tests by the names they can be imported with; also from tests/ itself
    for name in code:
        if is_test(name):
            places |= {module_of(name): name, module_of(name.removeprefix("tests/")): name}
    places = {module: name for module, name in places.items() if module not in modules(found)}
    todo = list(found)
    while todo:
        name = todo.pop()
        for module in _imported(code[name], name):
            place = places.get(module)
            if place and place not in found:
                found[place] = code[place]
                todo.append(place)
    return found


def _imported(text: str, name: str) -> set[str]:
    """The full names that a file imports, the relative ones from where it is."""
    parts = name.split("/")[:-1]
    found = set()
    for module in imports(text):
        up = len(module) - len(module.lstrip("."))
        found.add(".".join([*parts[: len(parts) - up + 1], module[up:]]) if up else module)
    return found


def copies(files: Files) -> list[str]:
    """Functions that are in two files with the same body."""
    where: dict[str, list[str]] = {}
    for name, text in files.items():
        for node in ast.walk(parsed(text)):
            if isinstance(node, ast.FunctionDef) and len(list(ast.walk(node))) and _statements(node) >= SMALLEST_COPY:
                body = "\n".join(ast.dump(part) for part in node.body)
                where.setdefault(body, []).append(f"{name}: {node.name}")
    return [f"the same code is there twice: {' and '.join(places)}" for places in where.values() if len(places) > 1]


def unshared(files: Files) -> list[str]:
    """Programs that import nothing of their own, and whether two of them share a module."""
    names = modules(files)
    used = {
        program: local_imports(files[program], names, program) for program in (TRAIN, PREDICT, APP) if program in files
    }
    faults = [f"{program} imports no module of the application" for program, found in used.items() if not found]
    shared = Counter(module for found in used.values() for module in found)
    if len(used) > 1 and not any(count > 1 for count in shared.values()):
        faults.append(f"{', '.join(used)} share no module: what they have in common belongs into one that they import")
    return faults


def _statements(node: ast.FunctionDef) -> int:
    return sum(isinstance(part, ast.stmt) for part in ast.walk(node)) - 1
