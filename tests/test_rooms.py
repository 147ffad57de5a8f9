"""Each room's docstring names the rooms that its files import: directly, and not for type checking alone."""

import ast
import re
from pathlib import Path

import pytest

HOME = Path(__file__).parents[1] / "metricloop"
ROOMS = sorted(file.parent.name for file in HOME.glob("*/__init__.py"))
MODULES = sorted(file.stem for file in HOME.glob("*.py") if file.stem != "__init__")
WRITTEN_BY_STUDIES = {"generated", "adopted"}  # below metrics/, where a study in the repository's root puts its code


def imported(room: str) -> set[str]:
    """The other rooms, and modules beside them, that the files of a room import."""
    found = set()
    for file in (HOME / room).rglob("*.py"):
        if not WRITTEN_BY_STUDIES & set(file.relative_to(HOME).parts):
            for name in names_imported(ast.parse(file.read_text())):
                found.add(name.split(".")[1])
    return found & {*ROOMS, *MODULES} - {room}


def names_imported(tree: ast.AST) -> set[str]:
    """Full names below metricloop that a module imports anywhere, but not under `if TYPE_CHECKING`."""
    if isinstance(tree, ast.If) and ast.unparse(tree.test) == "TYPE_CHECKING":
        return set()
    names: list[str] = []
    if isinstance(tree, ast.Import):
        names = [alias.name for alias in tree.names]
    elif isinstance(tree, ast.ImportFrom):
        names = [f"{tree.module}.{alias.name}" for alias in tree.names]
    own = {name for name in names if name.startswith("metricloop.")}
    return own.union(*map(names_imported, ast.iter_child_nodes(tree)))


@pytest.mark.parametrize("room", ROOMS)
def test_the_docstring_of_a_room_names_what_it_imports(room):
    text = " ".join((ast.get_docstring(ast.parse((HOME / room / "__init__.py").read_text())) or "").split())
    said = re.search(r"Imports ((?:`\w+`(?:, | and )?)+|no other room)\.", text)
    assert said, "say 'Imports `a`, `b`.' or 'Imports no other room.'"
    assert set(re.findall(r"`(\w+)`", said[1])) == imported(room)
