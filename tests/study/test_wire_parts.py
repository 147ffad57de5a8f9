"""No stage depends on labels of a split that it does not read; a dvc.yaml of an earlier version is brought to that."""

import re

import pytest
import yaml

from metricloop.study.refresh import wire_parts
from metricloop.study.rendering import render_stages

LABELS = re.compile(r"data/boxes/(\w+)\.parquet")


def labels_read(text: str) -> dict[str, set[str]]:
    stages = {name: stage.get("do", stage) for name, stage in yaml.safe_load(text)["stages"].items()}
    return {name: set(LABELS.findall(str(stage.get("deps")))) for name, stage in stages.items()}


def test_held_out_labels_are_read_by_the_stages_that_judge_and_those_of_the_pool_by_the_stages_that_choose():
    assert labels_read(render_stages(drawn=False, embeds=True, screens=True)) == {
        "ingest": set(), "predict": {"pool"}, "embed": {"pool"}, "score": {"pool"}, "select": {"pool"},
        "screen": {"search"}, "train": set(), "evaluate": {"search"}, "compare": {"search"}, "confirm": {"test"},
    }  # fmt: skip


@pytest.mark.parametrize("embeds", [True, False])
def test_a_workspace_with_one_file_of_labels_gets_those_of_today(embeds):
    today = render_stages(drawn=True, embeds=embeds, screens=embeds)
    three = "".join(f"      - data/boxes/{part}.parquet\n" for part in ("pool", "search", "test"))
    old = re.sub(r"data/boxes/\w+\.parquet", "data/boxes.parquet", today.replace(three, "      - data/boxes.parquet\n"))
    assert old.count("data/boxes.parquet") == today.count("data/boxes/") - 2
    assert wire_parts(old) == today
    assert wire_parts(today) == today


def test_a_persons_own_stage_gets_all_three_files():
    own = "  mine:\n    cmd: python mine.py\n    deps:\n      - data/boxes.parquet\n"
    assert labels_read(f"stages:\n{wire_parts(own)}") == {"mine": {"pool", "search", "test"}}
