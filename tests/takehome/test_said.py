"""What a program printed becomes the same text on every machine."""

from __future__ import annotations

import time

from metricloop.takehome.said import MOST, same_everywhere

TRACEBACK = """Traceback (most recent call last):
  File "train.py", line 3, in <module>
    main()
    ~~~~^^
  File "/home/me/.venv/lib/python3.12/site-packages/sklearn/base.py", line 1151, in wrapper
    return fit_method(estimator, *args, **kwargs)
           ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
  File "news/model.py", line 9, in fit
    return LogisticRegression().fit(texts)
ValueError: could not convert string to float: 'Bitcoin' in <object at 0x7f3a5c0d9e10>
"""


def test_frames_of_libraries_marks_and_addresses_are_left_out():
    assert same_everywhere(TRACEBACK) == (
        "Traceback (most recent call last):\n"
        '  File "train.py", line 3, in <module>\n'
        "    main()\n"
        '  File "news/model.py", line 9, in fit\n'
        "    return LogisticRegression().fit(texts)\n"
        "ValueError: could not convert string to float: 'Bitcoin' in <object at 0x...>"
    )


def test_times_folders_and_warnings_of_libraries():
    text = (
        "/opt/v/lib/python3.11/site-packages/joblib/x.py:44: UserWarning: [Errno 13]. joblib will be serial\n"
        '  warnings.warn("%s" % e)\n'
        "1 passed in 0.52s\nwrote /tmp/tmpab12/x.csv\n"
    )
    assert same_everywhere(text) == "1 passed in ... s\nwrote TMP"


def test_the_end_is_kept_and_escapes_are_not():
    text = same_everywhere("\x1b[31m" + "\n".join(f"line {n}" for n in range(10_000)))
    assert len(text) <= MOST + 4
    assert text.startswith("... ")
    assert text.endswith("line 9999")
    assert "\x1b" not in same_everywhere("\x1b[2J")


def test_a_text_made_to_be_slow_is_read_quickly():
    began = time.monotonic()
    for text in ("/" * 2_000_000, "/a" * 500_000 + "site-packages", '  File "' * 100_000, " " * 1_000_000 + "^x"):
        same_everywhere(text)
    assert time.monotonic() - began < 5
