"""Folds: whole groups, even sizes, and every image in one."""

import numpy as np
import pytest

from tasks.predict import folds


def test_groups_stay_together_and_folds_are_even():
    groups = np.array(["a", "a", "b", "c", "c", "d", "e", "f"])
    fold = folds(groups, 2, seed=0)
    for name in set(groups):
        assert len(set(fold[groups == name])) == 1
    assert np.bincount(fold).tolist() == [4, 4]
    assert (folds(groups, 2, seed=0) == fold).all()


def test_fewer_groups_than_folds_is_an_error():
    with pytest.raises(ValueError, match="only 1 groups"):
        folds(np.array(["a", "a"]), 2, seed=0)
