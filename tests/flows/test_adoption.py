"""Adopting a metric in a study that has run: the same scores, and nothing is trained again."""

import pytest
from tiny_study import dvc, metricloop

REAL = """
from metricloop.metrics.contract import metric

@metric(level="object")
def area(frame):
    return (frame.boxes[:, 2:] - frame.boxes[:, :2]).prod(axis=1)
"""


@pytest.mark.slow
def test_an_adopted_metric_gives_the_same_scores_and_trains_nothing_again(tiny, walls):
    (tiny / "metrics/generated/1").mkdir(parents=True)
    (tiny / "metrics/generated/1/area.py").write_text(REAL)
    file = "scores/round1-pool/area.parquet"
    (tiny / "rounds.yaml").write_text(
        "batches:\n  round1-pool: {code: metrics/generated/1, needs: data/images.parquet, metrics: [area]}\n"
        f"arms:\n  large: {{role: treatment, metric: area, a: {file}, b: {file}, policy: {{name: best}}}}\n"
        'blocks:\n  large.0: {arm: large, seeds: "0-1"}\n'
    )
    dvc(tiny, "repro")
    scores = (tiny / file).read_bytes()
    trained = {path: path.stat().st_mtime_ns for name in ("models", "results") for path in (tiny / name).rglob("*.*")}
    assert any("large.0" in str(path) for path in trained)
    done = metricloop("adopt", "area", "-C", str(tiny), "--yes")
    assert done.returncode == 0, done.stderr
    dvc(tiny, "repro")
    assert (tiny / "scores/adopted-area/area.parquet").read_bytes() == scores
    assert '"trust": "adopted"' in (tiny / "scores/adopted-area/trust.json").read_text()
    assert trained == {p: p.stat().st_mtime_ns for name in ("models", "results") for p in (tiny / name).rglob("*.*")}
    assert "up to date" in dvc(tiny, "status")
