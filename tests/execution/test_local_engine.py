"""The engine of one machine: what every engine promises, and what becomes of a process that is killed."""

import os
import signal
from pathlib import Path

import pytest

from metricloop.execution.engine import DiedError, Work, in_order
from metricloop.execution.faults import ItemError
from metricloop.execution.local import Local
from metricloop.metrics.contract import MetricError


def half(item, shared):
    if item % 2:
        raise MetricError(f"{item} is odd")
    return item // 2 + shared


def raw(item, shared):
    return [][item]


def killed_by_three(item, folder):
    """Leave a mark for each call; the process that gets 3 is killed, every time."""
    with Path(folder, str(item)).open("a") as stream:
        stream.write("x")
    if item == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return item


def killed_once(item, folder):
    mark = Path(folder, "killed")
    if item == 1 and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return item


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize("items", [[], [4], [8, 0, 6, 2, 4]])
def test_results_are_in_the_order_of_the_items(jobs, items):
    assert in_order(Local().run(Work(half, 10, jobs=jobs), items)) == [item // 2 + 10 for item in items]


@pytest.mark.parametrize("jobs", [1, 2])
def test_an_error_belongs_to_its_item_and_stays_what_it_is(jobs):
    found = {done.item: done for done in Local().run(Work(half, 0, jobs=jobs), [2, 3, 4])}
    assert (found[2].result, found[4].result) == (1, 2)
    assert (type(found[3].error), str(found[3].error)) == (MetricError, "3 is odd")
    assert {item: done.place for item, done in found.items()} == {2: 0, 3: 1, 4: 2}
    with pytest.raises(MetricError, match="3 is odd"):
        in_order(Local().run(Work(half, 0, jobs=jobs), [2, 3, 4]))


def test_what_may_be_a_bug_keeps_its_traceback():
    errors = [done.error for done in Local().run(Work(raw, 0, jobs=2), [0, 1])]
    assert {type(error) for error in errors} == {ItemError}
    assert "IndexError: list index out of range" in str(errors[0])
    assert "return [][item]" in str(errors[0])


def test_an_item_whose_process_dies_twice_is_named_and_the_others_have_results(tmp_path):
    work = Work(killed_by_three, str(tmp_path), name_of=lambda item: f"picture {item}", jobs=2)
    found = {done.item: done for done in Local().run(work, range(8))}
    assert [found[item].result for item in range(8)] == [0, 1, 2, None, 4, 5, 6, 7]
    assert isinstance(found[3].error, DiedError)
    assert str(found[3].error).startswith("picture 3: the process that ran it was ended twice")
    assert (tmp_path / "3").read_text() == "xx"


def test_a_process_that_is_killed_once_costs_no_result(tmp_path):
    assert in_order(Local().run(Work(killed_once, str(tmp_path), jobs=2), range(4))) == [0, 1, 2, 3]
    assert (tmp_path / "killed").exists()


def test_items_are_taken_as_they_are_needed():
    taken = []

    def items():
        for item in range(0, 100, 2):
            taken.append(item)
            yield item

    finished = Local().run(Work(half, 0, jobs=2), items())
    next(finished)
    assert len(taken) <= 6
    finished.close()
