"""Masks a key in what a server says: whole, in pieces, and in the spellings in which a server may echo it.

A server knows the key that it was sent, so a hostile one can publish it anyway. This keeps it out of our files.
"""

from __future__ import annotations

import base64
import logging
import re
from dataclasses import dataclass
from functools import cache

SHORTEST_SECRET = 8  # letters; shorter keys are dummy keys of local servers and occur in normal text
PIECE = 8  # letters of the key in a row that are masked, if they do not look like words
LONG = 16  # letters of it in a row that are masked in any case
MASK = "***"
# A letter in another spelling: JSON's \u0073 and \/, also within JSON within JSON; \x73; a URL's %73; HTML's &#115;.
SPELT = re.compile(
    r"""\\+(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|(["/]))|%([0-9a-fA-F]{2})|&#(?:(\d{1,5})|[xX]([0-9a-fA-F]{1,4}));"""
)
STRIDE, PART = 5, 4  # every piece of 8 letters has a part of 4 that begins at a multiple of 5
LIKE_NO_WORD = re.compile(r"[a-zA-Z].*\d|\d.*[a-zA-Z]|[a-z].*[A-Z]")  # letters and digits, or a capital within
LOWER = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}
LOGGERS = ("httpx2", "httpcore2.http11", "httpcore2.connection", "httpcore2.proxy", "openai._base_client")


def masked(text: str, key: str) -> str:
    """The text with "***" for the key, for 8 letters or more in a row of it, and for both in base64 or hexadecimal.

    Upper and lower case count as the same. Pieces that look like words are left below 16 letters, so that a key that
    begins with "metricloop-" spoils no answer; a key of fewer than 8 letters is left altogether.

    >>> masked('{"model": "Kx81-9qLmZ2", "finish": "no Kx81-9qL"}', "Kx81-9qLmZ2")
    '{"model": "***", "finish": "no ***"}'
    """
    if len(key) < SHORTEST_SECRET or len(text) < PIECE:
        return text
    view, places = _view(text)
    for span in reversed(_joined(_found(view, _forms(key)))):
        if span.sure or span.end - span.start >= LONG:
            text = text[: places[span.start]] + MASK + text[places[span.end] :]
    return text


class KeyFilter(logging.Filter):
    """Masks a key in the records of the loggers of the HTTP libraries: at level DEBUG they show a server's headers."""

    def __init__(self, key: str) -> None:
        super().__init__()
        self._key = key

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = masked(record.getMessage(), self._key), None
        return True


@cache
def mask_logs(key: str) -> None:
    """Mask this key in the logs of the HTTP libraries, from now on."""
    if len(key) >= SHORTEST_SECRET:
        for name in LOGGERS:
            logging.getLogger(name).addFilter(KeyFilter(key))


def _view(text: str) -> tuple[str, list[int] | range]:
    """The text with letters in place of their other spellings, in lower case; where each letter begins in the text."""
    letters: list[str] = []
    places: list[int] = []
    last = 0
    for spelt in SPELT.finditer(text):
        start, end = spelt.span()
        letters.append(text[last:start])
        places += range(last, start)
        json4, python2, plain, url2, decimal, hexadecimal = spelt.groups()
        code = ord(plain) if plain else int(decimal) if decimal else int(json4 or python2 or url2 or hexadecimal, 16)
        letters.append(chr(code) if code < 128 else "\0")
        places.append(start)
        last = end
    if not letters:
        return _lower(text), range(len(text) + 1)
    letters.append(text[last:])
    places += range(last, len(text) + 1)
    return _lower("".join(letters)), places


@dataclass(frozen=True)
class _Form:
    """One way to write the key. pieces: its parts of `length` letters; words: those pieces that look like words."""

    whole: str
    length: int
    pieces: frozenset[str]
    words: frozenset[str]


@dataclass(frozen=True)
class _Span:
    """A part of a text that is a part of the key. sure: it is the whole key, or does not look like a word."""

    start: int
    end: int
    sure: bool


Forms = tuple[_Form, ...]


@cache
def _forms(key: str) -> Forms:
    """How the key may be written, in lower case."""
    forms = [(key, PIECE)]
    for shift in range(3):  # the key may begin at any of three places within the letters of base64
        code = base64.b64encode(b"\0" * shift + key.encode()).decode().rstrip("=")
        whole = code[(0, 2, 3)[shift] : -1]  # without the letters that hold a part of something else
        forms += [(spelt, 12) for spelt in {whole, whole.replace("+", "-").replace("/", "_")}]
    forms.append((key.encode().hex(), 16))
    made = []
    for whole, length in forms:
        pieces = {whole[start : start + length] for start in range(len(whole) - length + 1)}
        words = {piece for piece in pieces if whole == key and not LIKE_NO_WORD.search(piece)}
        made.append(_Form(_lower(whole), length, frozenset(map(_lower, pieces)), frozenset(map(_lower, words))))
    return tuple(made)


def _found(view: str, forms: Forms) -> list[_Span]:
    """Where a form, or one of its pieces, is in a text."""
    parts = {piece[start : start + PART] for form in forms for piece in form.pieces for start in range(form.length - 3)}
    near = [place for place in range(0, len(view), STRIDE) if view[place : place + PART] in parts]
    spans: list[_Span] = []
    for form in forms:
        spans += [_Span(found.start(), found.end(), True) for found in re.finditer(re.escape(form.whole), view)]
        for place in near:
            for start in range(max(0, place + PART - form.length), place + 1):
                piece = view[start : start + form.length]
                if piece in form.pieces:
                    spans.append(_Span(start, start + form.length, piece not in form.words))
    return spans


def _joined(spans: list[_Span]) -> list[_Span]:
    """Spans that overlap or touch as one, in order; sure if one of them is."""
    joined: list[_Span] = []
    for span in sorted(spans, key=lambda span: span.start):
        if joined and span.start <= joined[-1].end:
            last = joined.pop()
            span = _Span(last.start, max(last.end, span.end), last.sure or span.sure)
        joined.append(span)
    return joined


def _lower(text: str) -> str:
    """In lower case as far as ASCII goes, so that the length stays."""
    return text.translate(LOWER)
