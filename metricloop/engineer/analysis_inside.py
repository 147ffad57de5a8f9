"""Inside the sandbox: run the model's `analyse(pool)` once and send what it returned, as text, in one packet.

The untrusted code may tamper with everything here. So `engineer.analyse`, outside, checks and bounds what comes.
"""

from __future__ import annotations

import json
import linecache
import os
import random
from types import SimpleNamespace
from typing import Any

import numpy as np

from metricloop.sandbox.payload import unpack
from metricloop.scoring.inside_sandbox import BROKEN, READY, explain

FOUND = b"F"  # the first byte of the packet with what was found
MOST_ROWS = 40
MOST_COLUMNS = 12
MOST_CELL = 160  # characters
MOST_TEXT = 4000  # characters in all


def send_analysis(descriptors: list[int], arguments: dict[str, Any]) -> None:
    """Run the code and send {"text": ...} or {"table": [[...], ...]} as JSON. arguments: filename, memory_mb."""
    report, code, payload = descriptors
    try:
        random.seed(0)
        np.random.seed(0)
        meta, arrays = unpack(payload)
        _, source = unpack(code)
        text = source["code"].tobytes().decode()
        os.write(report, READY)
        name = arguments["filename"]
        linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)  # for the line in an error
        space: dict[str, Any] = {"__name__": "analysis"}
        exec(compile(text, name, "exec"), space)
        if not callable(space.get("analyse")):
            raise ValueError("the file defines no function `analyse(pool)`")
        os.write(report, FOUND + json.dumps(bounded(space["analyse"](pool_of(meta, arrays)))).encode())
    except BaseException as error:  # the code may also raise SystemExit and KeyboardInterrupt
        try:
            said = explain(error, arguments["filename"], arguments["memory_mb"]).encode(errors="replace")[:2000]
        except BaseException:
            said = b"an exception that cannot be printed"
        os.write(report, BROKEN + said)
    os._exit(0)


def pool_of(meta: dict[str, Any], arrays: dict[str, np.ndarray]) -> SimpleNamespace:
    """The pool as the code sees it; groups of arrays, such as scores, by their names."""
    groups: dict[str, dict[str, np.ndarray]] = {"scores": {}, "subsets": {}, "pictures": {}, "predictions": {}}
    plain: dict[str, Any] = {}
    for name, array in arrays.items():
        group, _, rest = name.partition(".")
        (groups[group] if rest else plain)[rest or name] = array
    found = groups["predictions"]
    return SimpleNamespace(
        **plain,
        class_names=tuple(meta["class_names"]),
        predictions=SimpleNamespace(**found) if found else None,
        scores=groups["scores"],
        subsets=groups["subsets"],
        pictures={int(image): picture for image, picture in groups["pictures"].items()},
    )


def bounded(result: Any) -> dict[str, Any]:
    """The value that `analyse` returned as {"text": str} or {"table": rows of str}, cut to the limits above.

    left_out: how many characters or rows were cut off.
    """
    if isinstance(result, str):
        return {"text": result[:MOST_TEXT], "left_out": max(0, len(result) - MOST_TEXT)}
    if isinstance(result, dict):
        result = [[key, value] for key, value in result.items()]
    if isinstance(result, np.ndarray):
        result = result.tolist() if result.ndim else [[result.item()]]
    if not isinstance(result, (list, tuple)):
        result = [[result]]
    rows = list(result)
    if rows and all(isinstance(row, dict) for row in rows):
        heads = list(rows[0])
        rows = [heads, *([row.get(head, "") for head in heads] for row in rows)]
    cut = [list(row) if isinstance(row, (list, tuple, np.ndarray)) else [row] for row in rows[:MOST_ROWS]]
    table = [[_cell(value) for value in row[:MOST_COLUMNS]] for row in cut]
    return {"table": table, "left_out": max(0, len(rows) - MOST_ROWS)}


def _cell(value: Any) -> str:
    if isinstance(value, (float, np.floating)):
        return f"{float(value):.4g}"
    text = str(value)
    return text if len(text) <= MOST_CELL else text[: MOST_CELL - 1] + "…"
