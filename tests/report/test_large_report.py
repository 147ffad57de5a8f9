"""A study of 5,000 images and twelve arms: its report is at most 15 MB and opens within two seconds."""

import cv2
import numpy as np
import pyarrow as pa
import pytest
from browser import CHROMIUM, browser_page
from study_fixture import arm, arms, make_study, write_detections

from metricloop.data.tables import SCORES, read_table, write_table
from metricloop.report import image_gallery
from metricloop.report.study_page import write_report

pytestmark = [pytest.mark.browser, pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")]
IMAGES, METRICS = 5000, 10
OPENS_WITHIN = 2000  # ms


def photo(path, *_):
    """A picture of 1280 x 960 as hard to compress as a photo of leaves, another one for every file."""
    rng = np.random.default_rng(int(path.stem))
    coarse, fine = rng.integers(0, 255, (60, 80, 3)), rng.integers(0, 70, (960, 1280, 3))
    smooth = cv2.resize(coarse.astype(np.uint8), (1280, 960), interpolation=cv2.INTER_CUBIC)
    return cv2.add(smooth, fine.astype(np.uint8))


def test_a_report_of_5000_images_is_small_and_opens_at_once(tmp_path, monkeypatch):
    names = [f"metric_number_{k}" for k in range(METRICS)]
    treatments = [arm(name, "treatment", 0.25, 0.02, "undecided", metric=name) for name in names]
    folder = make_study(tmp_path / "study", images=IMAGES, entries=[arms()[0], *treatments, arms()[3]])
    for place, name in enumerate(names):  # other scores for every metric, so that each shows other pictures
        table = read_table(folder / f"scores/labels/{name}.parquet", SCORES)
        scores = pa.array(np.random.default_rng(place).normal(size=len(table)))
        write_table(folder / f"scores/labels/{name}.parquet", SCORES, {**table.to_pydict(), "score": scores})
    write_detections(folder, {"random": 12.0, "oracle": 1.0, **dict.fromkeys(names, 3.0)})
    monkeypatch.setattr(image_gallery, "read_picture", photo)
    page = write_report(folder, folder / "pictures")
    size, text = page.stat().st_size, page.read_text()
    assert text.count("<image ") > 12 * METRICS - 20  # nearly every example is another picture
    assert text.count('class="curves"') == 2 * METRICS + 2
    times = []
    with browser_page(tmp_path / "profile") as browser:
        for _ in range(3):
            browser.open("about:blank")
            browser.open(page.as_uri())
            times.append(browser.ask("performance.getEntriesByType('navigation')[0].loadEventEnd"))
        assert browser.log == []
    print(f"{size / 1e6:.1f} MB, opens in {', '.join(f'{taken:.0f}' for taken in times)} ms")
    assert size <= 15_000_000
    assert min(times) < OPENS_WITHIN
