"""The digest of a metric changes with its code and with all that it imports, and with nothing else."""

import ast

import pytest

from metricloop.runtime import code_digest
from metricloop.runtime.code_digest import closure, imported
from metricloop.scoring import metric_digest
from metricloop.scoring.metric_digest import digest_of, digest_of_text
from metricloop.scoring.open_metrics import catalogue

OURS = "import numpy as np\nfrom metricloop.metrics.contract import metric\n"


def test_every_metric_of_the_catalogue_can_be_kept():
    assert all(digest_of(function) for function in catalogue().values())


def test_the_text_and_the_libraries_count(monkeypatch):
    before = digest_of_text(OURS)
    assert before != digest_of_text(OURS + "# other\n")
    monkeypatch.setattr(metric_digest, "version", lambda name: "0")
    digest_of_text.cache_clear()
    assert digest_of_text(OURS) != before
    digest_of_text.cache_clear()


def test_what_is_imported_counts_at_any_remove(tmp_path, monkeypatch):
    for path, text in {
        "metricloop/metrics/a.py": "from metricloop.metrics import b",
        "metricloop/metrics/b.py": "x = 1",
        "metricloop/metrics/c.py": "",
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    monkeypatch.setattr(code_digest, "HOME", tmp_path)
    assert [path.name for path in closure(["metricloop.metrics.a"])] == ["a.py", "b.py"]
    assert [path.name for path in closure(["metricloop.metrics.a"], frozenset({"metricloop.metrics.b"}))] == ["a.py"]
    before = digest_of_text("import metricloop.metrics.a")
    (tmp_path / "metricloop/metrics/b.py").write_text("x = 2")
    digest_of_text.cache_clear()
    assert digest_of_text("import metricloop.metrics.a") != before
    digest_of_text.cache_clear()


@pytest.mark.parametrize("text", ["import metricloop as ml", "from metricloop import metric"])
def test_a_file_that_imports_the_package_depends_on_what_a_metric_is(text, tmp_path, monkeypatch):
    contract = tmp_path / "metricloop/metrics/contract.py"
    contract.parent.mkdir(parents=True)
    contract.write_text("x = 1")
    monkeypatch.setattr(code_digest, "HOME", tmp_path)
    digest_of_text.cache_clear()
    before = digest_of_text(text)
    contract.write_text("x = 2")
    digest_of_text.cache_clear()
    assert digest_of_text(text) != before
    digest_of_text.cache_clear()


@pytest.mark.parametrize(
    "text",
    [
        "import sklearn", "from my_helpers import x", "def broken(:", "x = '\ud800'", "x = 1\0",
        "x = " + "(" * 100_000, "x = " + "-" * 100_000 + "1", "x = " + "a." * 100_000 + "b", 
        "x = " + "1+" * 100_000 + "1",
    ],
    ids=lambda text: text[:16],
)  # fmt: skip
def test_code_that_cannot_be_followed_has_none(text):
    assert digest_of_text(text) is None


def test_both_readings_of_an_import_from_count():
    assert imported(ast.parse("import a.b\nfrom c import d")) == ["a.b", "c", "c.d"]
