"""metricloop score: list the catalogue, and score batches of a study without running an arm."""

from tiny_study import metricloop


def test_the_catalogue_is_listed_without_a_workspace(tmp_path):
    done = metricloop("score", "--list", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "object_proximity" in done.stdout
    assert "random_score" in done.stdout


def test_batches_are_scored_and_nothing_else(tiny):
    (tiny / "arms.yaml").write_text(
        (tiny / "arms.yaml").read_text().replace("arms:", "  # one more\n  more: {code: metrics/catalogue.yaml, "
        "needs: data/images.parquet, metrics: [brightness, class_count]}\narms:", 1)
    )  # fmt: skip
    done = metricloop("score", "more", "-C", str(tiny))
    assert done.returncode == 0, done.stdout + done.stderr
    assert sorted(path.name for path in (tiny / "scores/more").glob("*.parquet")) == [
        "brightness.parquet",
        "class_count.parquet",
    ]
    assert "train" not in done.stdout


def test_an_unknown_batch_is_named_with_the_nearest(tiny):
    done = metricloop("score", "pixel", "-C", str(tiny))
    assert done.returncode == 1
    assert "pixel" in done.stderr
    assert "Traceback" not in done.stderr
