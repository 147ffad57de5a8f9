"""What a score depends on besides its frame: the code of a metric and of all that it imports, as one digest."""

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
    """The digest of a metric that runs in this process; None where it imports something whose code is not followed:
    such a metric's scores cannot be kept.
    """
    file = metric.__code__.co_filename
    text = "".join(linecache.getlines(file)) or None
    return text and digest_of_text(text)


@cache
def digest_of_text(text: str) -> str | None:
    """The same of a file of metrics as text."""
    try:
        names = imported(ast.parse(text))
    except SyntaxError:
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
