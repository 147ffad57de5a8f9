"""The names of the metrics in a file, read from its text: nothing of it is executed."""

from __future__ import annotations

import ast
from pathlib import Path

from metricloop.metrics.contract import MetricError
from metricloop.scoring.metric_file import read_source


def declared_in(file: Path) -> list[str] | None:
    """The functions of a file that are decorated with `metric(...)`, in their order; None where there is no such file.

    Errors: MetricError when the file is no Python, with the line.
    """
    if not file.is_file():
        return None
    source = read_source(file, file.parent)
    try:
        tree = ast.parse(source.code)
    except (SyntaxError, ValueError) as error:
        line = f", line {error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
        raise MetricError(f"{file} is no Python{line}: {error.args[0]}") from None
    except (RecursionError, MemoryError):
        raise MetricError(f"{file} is nested too deep to be read; write it with shorter expressions") from None
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    return [node.name for node in functions if any(_is_metric(one) for one in node.decorator_list)]


def _is_metric(decorator: ast.expr) -> bool:
    called = decorator.func if isinstance(decorator, ast.Call) else decorator
    return (called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")) == "metric"
