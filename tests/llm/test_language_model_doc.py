"""docs/language-model.md: its tables are those of the code. After a wanted change, run this file as a program."""

from collections.abc import Callable
from pathlib import Path

import pytest

from metricloop.data.label_errors import label_errors_table
from metricloop.llm.providers import providers_table
from metricloop.metrics.families import idea_families_table
from metricloop.scoring.gate_rules import rules_table

DOC = Path(__file__).parents[2] / "docs" / "language-model.md"
TABLES: dict[str, Callable[[], str]] = {
    "providers": providers_table,
    "families": idea_families_table,
    "label errors": label_errors_table,
    "rules": rules_table,
}


def with_table(text: str, name: str) -> str:
    """The document with today's table between its two marks."""
    before, mark, rest = text.partition(f"<!-- {name} -->\n")
    assert mark, f"no mark {name} in {DOC.name}"
    return f"{before}{mark}{TABLES[name]()}\n<!-- end -->{rest.partition('<!-- end -->')[2]}"


@pytest.mark.parametrize("name", TABLES)
def test_a_table_of_the_document_is_the_table_of_the_code(name):
    assert with_table(DOC.read_text(), name) == DOC.read_text()


if __name__ == "__main__":
    document = DOC.read_text()
    for table in TABLES:
        document = with_table(document, table)
    DOC.write_text(document)
