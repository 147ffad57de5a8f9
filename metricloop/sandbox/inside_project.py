"""Inside the sandbox: run a program as `python FILE ...` or `python -m MODULE ...` would."""

from __future__ import annotations

import atexit
import mimetypes
import os
import runpy
import sys
import threading
import traceback
from types import TracebackType
from typing import Any

# USER: this user has no account. JOBLIB_MULTIPROCESSING: there are no semaphores, and joblib warns of it otherwise.
ENVIRONMENT = {"PYTHONDONTWRITEBYTECODE": "1", "USER": "sandbox", "JOBLIB_MULTIPROCESSING": "0"}


def main(descriptors: list[int], arguments: dict[str, Any]) -> None:
    """Run `argv` in the current folder. descriptors: of the report (unused), standard output, standard error."""
    report, output, errors = descriptors
    os.close(report)  # only what our own code reports before untrusted code starts is believed
    os.dup2(output, 1)
    os.dup2(errors, 2)
    folder, argv = os.getcwd(), arguments["argv"]
    os.environ |= ENVIRONMENT | {"HOME": folder, "TMPDIR": folder}
    mimetypes.knownfiles.clear()  # files in /etc, which may be seen and not read
    sys.path.insert(0, folder)
    status = 0
    try:
        if argv[0] == "-m":
            sys.argv = list(argv[1:])
            runpy.run_module(argv[1], run_name="__main__", alter_sys=True)
        else:
            sys.argv = list(argv)
            runpy.run_path(os.path.join(folder, argv[0]), run_name="__main__")
    except SystemExit as stop:
        status = _status(stop.code)
    except BaseException as error:
        status = 1
        traceback.print_exception(type(error), error, _own(error.__traceback__, folder))
    _finish()
    os._exit(status)


def _own(frames: TracebackType | None, folder: str) -> TracebackType | None:
    """The traceback without our own frames above the program's first line."""
    while frames is not None and not frames.tb_frame.f_code.co_filename.startswith(folder):
        frames = frames.tb_next
    return frames


def _status(code: object) -> int:
    if code is None or isinstance(code, int):
        return (code or 0) & 0xFF
    print(code, file=sys.stderr)
    return 1


def _finish() -> None:
    """Do what the interpreter does at its end: wait for threads, run exit functions, flush the streams."""
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join()
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):  # closed by the program
            continue
