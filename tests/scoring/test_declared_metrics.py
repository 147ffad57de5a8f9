"""The metrics of a file are read from its text, which may be any text."""

import pytest

from metricloop.metrics.contract import MetricError
from metricloop.scoring.declared_metrics import declared_in


def test_decorated_functions_in_their_order_and_no_others(tmp_path):
    file = tmp_path / "own.py"
    file.write_text(
        "import metricloop as ml\nfrom metricloop import metric\n@metric(level='image')\ndef second(frame): ...\n"
        "def helper(): ...\n@ml.metric(level='image')\ndef first(frame): ...\n"
    )
    assert declared_in(file) == ["second", "first"]
    assert declared_in(tmp_path / "other.py") is None


@pytest.mark.parametrize("text", ["(" * 50_000, "-" * 100_000 + "1", "a." * 50_000 + "b", "1+" * 50_000 + "1"])
def test_text_that_is_nested_too_deep_is_refused_in_one_line(tmp_path, text):
    (tmp_path / "own.py").write_text(f"x = {text}")
    with pytest.raises(MetricError, match=r"own\.py is (nested too deep|no Python)"):
        declared_in(tmp_path / "own.py")
