import pytest

from metricloop.data.seeds import parse_seeds
from metricloop.study.blocks import Block, block_from_arguments


@pytest.mark.parametrize(("text", "seeds"), [("0-2", (0, 1, 2)), ("4", (4,)), ("7-7", (7,))])
def test_seeds_are_a_range_or_one(text, seeds):
    assert parse_seeds(text) == seeds


@pytest.mark.parametrize("text", ["", "a", "3-1", "1-2-3"])
def test_other_texts_are_refused(text):
    with pytest.raises(ValueError, match="0-2"):
        parse_seeds(text)


def test_a_block_comes_from_the_command_line_or_from_the_plan(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "arms.yaml").write_text(
        "arms: {random: {role: baseline, a: x, b: x, policy: {name: random}}}\n"
        'blocks: {random.0: {arm: random, seeds: "0-2"}}\n'
    )
    assert block_from_arguments(["random.0"]) == Block("random.0", "random", (0, 1, 2))
    assert block_from_arguments(["x.1", "--arm", "x", "--seeds", "3-4"]) == Block("x.1", "x", (3, 4))
    with pytest.raises(SystemExit):
        block_from_arguments(["nothing.0"])
    assert "there are: random.0" in capsys.readouterr().err
