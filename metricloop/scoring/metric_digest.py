"""One digest of the code of a metric and of everything it imports: its scores depend on that besides the frame."""

from __future__ import annotations

import ast
import hashlib
import linecache
import sys
from functools import cache
from importlib.metadata import version

from metricloop.metrics.contract import Metric
from metricloop.runtime.code_digest import PACKAGE, closure, imported

LIBRARIES = {"numpy": "numpy", "cv2": "opencv-python-headless", "scipy": "scipy"}  # module: distribution


@cache
def digest_of(metric: Metric) -> str | None:
    """The digest of a metric that runs in this process; None when it imports a module that is not followed, so that its
    scores cannot be stored.
    """
    file = metric.__code__.co_filename
    text = "".join(linecache.getlines(file)) or None
    return text and digest_of_text(text)


@cache
def digest_of_text(text: str) -> str | None:
    """The digest of a file of metrics, given as text; None as above."""
    try:
        names = imported(ast.parse(text))
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # no text, or nested too deep: it will not load
        return None
    own = {name for name in names if name.partition(".")[0] == PACKAGE}
    known = {PACKAGE, *LIBRARIES, *sys.stdlib_module_names}
    if any(name.partition(".")[0] not in known for name in names):
        return None
    total = hashlib.sha256(text.encode())
    # `import metricloop as ml` is there for `@ml.metric`
    for path in closure(f"{PACKAGE}.metric" if name == PACKAGE else name for name in own):
        total.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    total.update("".join(version(name) for name in LIBRARIES.values()).encode())
    return total.hexdigest()
