"""What code says is fit for a terminal, a journal and a prompt, whatever it says."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from metricloop.text.clean import MOST, clean


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (b"", ""),
        (b"plain", "plain"),
        ("Löwe 🦁", "Löwe 🦁"),
        (b"two\nlines\n", "two / lines"),
        ("  a \r\n\n  b\u2028c\x0bd  ", "a / b / c / d"),
        (b"\x1b[31mred\x1b[0m", "?[31mred?[0m"),
        (b"\x1b]0;title\x07", "?]0;title?"),
        ("a\x9b31mb", "a?31mb"),  # the one-character escape
        (b"back\x08\x7fspace\0", "back??space?"),
        ("left\u202eright\u2066\u200b", "left?right??"),  # direction and width
        (b"\xff\xfe", "��"),
        (b"tab\tstop", "tab stop"),
    ],
)
def test_one_printable_line(said, shown):
    assert clean(said) == shown


def test_the_middle_of_too_much_is_left_out():
    shown = clean("a" * 500 + "b" * 500)
    assert shown == "a" * 147 + " ... " + "b" * 147
    assert clean("x" * MOST) == "x" * MOST
    assert clean("abcdefghijklmnop", most=15) == "abcde ... lmnop"


@example(b"\0\0\n\0\0\0\0\0\0\0", 11)  # the cut falls on a blank
@given(st.text(max_size=400) | st.binary(max_size=400), st.integers(1, 400))
def test_always_short_printable_and_the_same_when_cleaned_again(said, most):
    shown = clean(said, most)
    assert len(shown) <= most
    assert shown.isprintable()
    assert clean(shown, most) == shown.strip()


def test_megabytes_take_no_time():
    assert len(clean(b"\n" * (1 << 25))) == 0
    assert len(clean(b"\x1b" * (1 << 25))) <= MOST
