"""The description of a study's experiment in MLflow."""

from types import SimpleNamespace

from study_fixture import arm, arms, comparison

from metricloop.tracking.views import LONGEST, describe
from metricloop.tracking.write_study import NOTE


def test_a_study_of_hundreds_of_arms_is_described_within_what_mlflow_takes():
    many = [arm(f"arm_{number}", "treatment", 0.24, 0.009, "undecided", metric="object_count") for number in range(300)]
    told = {}
    client = SimpleNamespace(
        get_experiment=lambda experiment: SimpleNamespace(tags={}),
        set_experiment_tag=lambda experiment, name, value: told.update({name: value}),
    )
    describe(client, "1", comparison([arms()[0], *many]), [], promoted=False)
    assert 0.9 * LONGEST < len(told[NOTE]) <= LONGEST
    assert "| random |" in told[NOTE]
    rows = [line for line in told[NOTE].splitlines() if line.startswith("| arm_")]
    assert f"{300 - len(rows)} more rows: see report.html" in told[NOTE]
