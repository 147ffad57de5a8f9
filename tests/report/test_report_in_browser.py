"""The report as a browser shows it: everything in place, nothing wider than a telephone."""

import shutil
import subprocess

import cv2
import numpy as np
import pytest
from study_fixture import make_study

from metricloop.report.study_page import write_report

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
@pytest.mark.parametrize("width", [420, 1200])
def test_the_page_is_drawn_and_fits_the_window(tmp_path, width):
    folder = tmp_path / "study"
    folder.mkdir()
    make_study(folder)
    page = write_report(folder, folder)
    shot = tmp_path / "page.png"
    subprocess.run(
        [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync",
         "--disable-component-update", "--no-first-run", "--hide-scrollbars", f"--user-data-dir={tmp_path / 'profile'}",
         f"--screenshot={shot}", f"--window-size={width},1600", page.resolve().as_uri()],
        check=True, capture_output=True, timeout=120,
    )  # fmt: skip
    picture = cv2.imread(str(shot))
    assert picture.shape == (1600, width, 3)
    background = picture[2, 2]
    drawn = np.abs(picture.astype(int) - background).max(axis=2) > 24
    assert 0.02 < drawn.mean() < 0.9
    assert not drawn[:, -2:].any()  # a page that is too wide is cut at the window's edge
