"""Tests: the application's own tests pass, and they fail when its predictions are broken.

Tests run in a process of the application, which could end it with any status. So it also counts that the same tests
fail twice: with every predicting function raising an error, and with every predicting function returning nothing. They
must pass once more with the same code in another layout: so tests that compare the text of the sources do not count.
A test that reads the syntax tree of the application could still tell the three apart.
"""

from __future__ import annotations

import ast
import random
import string
from collections.abc import Callable
from pathlib import Path

from metricloop.takehome import inside
from metricloop.takehome.answer import Files
from metricloop.takehome.bench import Bench, Ran
from metricloop.takehome.checks.structure import is_test
from metricloop.takehome.contract import APP, PREDICT, TESTS
from metricloop.takehome.result import Result, failed, judged
from metricloop.takehome.source import parsed

PROGRAM = "metricloop_tests.py"
CODE = Path(inside.__file__).parent / "run_tests.py"


def check(bench: Bench) -> Result:
    tests = {name: text for name, text in bench.files.items() if name.startswith(f"{TESTS}/") and name.endswith(".py")}
    asserting = sum(asserts(text) for text in tests.values())
    if not asserting:
        return failed(f"no test function with an assert in {TESTS}/")
    ran = run_tests(bench)
    if ran.fault:
        return failed(ran.fault or "", tests=asserting)
    if run_tests(bench.changed(laid_out_anew(bench.files))).fault:
        return failed("the tests fail when the same code is laid out anew: test what it does, not its text")
    mutants = {"raises an error": broken(bench.files, raising()), "returns nothing": broken(bench.files, nothing())}
    survived = [said for said, files in mutants.items() if not run_tests(bench.changed(files)).fault]
    faults = [f"the tests still pass when every predicting function {said}: test what it returns" for said in survived]
    return judged(faults, tests=asserting, mutants=len(mutants), killed=len(mutants) - len(survived))


def run_tests(bench: Bench) -> Ran:
    """Run the tests; what pytest printed is the fault when they do not pass."""
    ran = bench.run([PROGRAM, TESTS], {PROGRAM: CODE.read_text()})
    if not ran.fault:
        return ran
    head = ran.fault.splitlines()[0].replace(f"{PROGRAM} {TESTS}", f"-m pytest {TESTS}")
    return Ran(f"{head}\n{ran.printed}", ran.printed, ran.made, ran.seconds)


def asserts(text: str) -> int:
    """The test functions in a file that hold an assert, or expect an error with pytest.raises."""

    def checks_something(node: ast.AST) -> bool:
        return isinstance(node, ast.Assert) or (isinstance(node, ast.Attribute) and node.attr == "raises")

    functions = [n for n in ast.walk(parsed(text)) if isinstance(n, ast.FunctionDef) and n.name.startswith("test")]
    return sum(any(checks_something(part) for part in ast.walk(one)) for one in functions)


def raising() -> list[ast.stmt]:
    """A body that raises an error; its words are made up each time."""
    return ast.parse(f"raise RuntimeError({_word()!r})").body


def nothing() -> list[ast.stmt]:
    """A body that returns nothing, by a name that is made up each time."""
    name = _word()
    return ast.parse(f"{name} = None\nreturn {name}").body


def _word() -> str:
    return "".join(random.SystemRandom().choices(string.ascii_lowercase, k=10))


def laid_out_anew(files: Files) -> Files:
    """The same code without comments, as Python itself would write it."""
    code = {name: text for name, text in files.items() if name.endswith(".py") and not is_test(name)}
    return {name: ast.unparse(parsed(text)) + "\n" for name, text in code.items()}


def broken(files: Files, body: list[ast.stmt]) -> Files:
    """The files that change when every predicting function gets this body: those named so, else all of two programs."""
    by_name = _replaced(files, body, lambda name, function: "predict" in function.lower())
    return by_name or _replaced(files, body, lambda name, function: name in (PREDICT, APP))


def _replaced(files: Files, body: list[ast.stmt], wanted: Callable[[str, str], bool]) -> Files:
    changed = {}
    for name, text in files.items():
        if not name.endswith(".py") or is_test(name):
            continue
        tree = parsed(text)
        hit = False
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and wanted(name, node.name):
                node.body, hit = body, True
        if hit:
            changed[name] = ast.unparse(ast.fix_missing_locations(tree)) + "\n"
    return changed
