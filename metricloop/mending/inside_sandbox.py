"""Inside the sandbox: load a file of repairs, and send its declarations or its edits in small packets.

The untrusted code may tamper with everything here. So `mending.sandboxed`, outside, checks every packet.
"""

from __future__ import annotations

import json
import os
import random
import struct
from dataclasses import asdict
from typing import Any

import numpy as np

from metricloop.mending.repair_file import load_repairs
from metricloop.metrics.repair_contract import Repair, call_repair, repair_spec_of
from metricloop.sandbox.payload import unpack
from metricloop.scoring.inside_sandbox import FAILED, READY, VALUES, explained, frame_of, guarded

PLACE = struct.Struct("<III")  # row, number of the first edit, number of edits of this frame
CHUNK = 512  # edits in one packet


def send_repairs(descriptors: list[int], arguments: dict[str, Any]) -> None:
    """Send the declarations of a file's repairs as a JSON list. arguments: filename, memory_mb."""
    report, code = descriptors

    def work() -> None:
        specs = [asdict(repair_spec_of(repair)) for repair in _load(code, arguments["filename"]).values()]
        os.write(report, READY + json.dumps(specs).encode())

    guarded(report, arguments, work)


def send_edits(descriptors: list[int], arguments: dict[str, Any]) -> None:
    """Send the edits of each frame. arguments: filename, repair, first (first frame), memory_mb."""
    report, code, payload = descriptors

    def work() -> None:
        random.seed(0)
        np.random.seed(0)
        repair = _load(code, arguments["filename"])[arguments["repair"]]
        os.write(report, READY)
        meta, arrays = unpack(payload)
        for row in range(arguments["first"], len(meta["frames"])):
            try:
                rows = call_repair(repair, frame_of(meta, row, arrays))
            except BaseException as error:  # the code may also raise SystemExit and KeyboardInterrupt
                os.write(report, FAILED + PLACE.pack(row, 0, 0) + explained(error, arguments))
                continue
            for start in range(0, max(len(rows), 1), CHUNK):
                part = rows[start : start + CHUNK].tobytes()
                os.write(report, VALUES + PLACE.pack(row, start, len(rows)) + part)

    guarded(report, arguments, work)


def _load(code: int, filename: str) -> dict[str, Repair]:
    _, arrays = unpack(code)
    return load_repairs(arrays["code"].tobytes().decode(), filename)
