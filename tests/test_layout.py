"""Every path of a workspace is written once, in layout.py."""

import ast
import inspect
import re
from pathlib import Path

import pytest

import metricloop
from metricloop import layout

ROOT = Path(metricloop.__file__).parent
OTHER_FOLDERS = {"takehome/contract.py"}  # names the files of an application, which is not a workspace
FILES = sorted(
    path
    for path in ROOT.rglob("*.py")
    if path.name != "layout.py" and path.relative_to(ROOT).as_posix() not in OTHER_FOLDERS
)
# Paths with an ending or a slash; bare words such as "data" mean other things too.
PATHS = {value for name, value in vars(layout).items() if name.isupper() and re.search(r"[./]", value)}
# The same name in every folder of a batch or block, such as metrics.json; "*" stands for the batch or block.
PER_FOLDER = {
    Path(path(*["*"] * len(inspect.signature(path).parameters))).name
    for path in vars(layout).values()
    if inspect.isfunction(path)
}
NAMES = {name for name in PER_FOLDER if "*" not in name and "." in name}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.relative_to(ROOT).as_posix())
def test_no_other_module_writes_a_path_of_the_workspace(file):
    tree = ast.parse(file.read_text())
    docs = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and isinstance(node.body[0], ast.Expr)
    }
    written = {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs
    }
    assert written & PATHS == set()
    assert {value for value in written if value.rpartition("/")[2] in NAMES} == set()


def test_the_file_names_of_batches_and_blocks_are_looked_for():
    assert {"trust.json", "failed.json", "metrics.json", "recipe.json", "matches.parquet", "history.parquet"} <= NAMES
