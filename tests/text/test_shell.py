"""Command lines that are printed for a person."""

import shlex
from pathlib import Path

import pytest

from metricloop.text.shell import command_line, run_line


@pytest.mark.parametrize("folder", ["plain", "with blank", "it's", "$HOME", "a;b", "~x"])
def test_a_shell_reads_the_words_that_were_meant(folder):
    assert shlex.split(command_line("git", "-C", Path(folder), "add", "x.py")) == ["git", "-C", folder, "add", "x.py"]
    assert shlex.split(run_line(Path(folder), "--arm", "a")) == ["metricloop", "run", "-C", folder, "--arm", "a"]


def test_a_plain_folder_is_not_quoted():
    assert run_line(Path("demo")) == "metricloop run -C demo"
