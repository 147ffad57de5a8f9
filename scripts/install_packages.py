"""Install the packages of a study, or of the tests, into .venv in parts, and say how far it is.

pip keeps all downloads of a call until the last package is unpacked. In parts, the disk holds those of one part at a
time, in .venv/tmp (/tmp is often small, or memory). Nothing is installed yet when this runs: it imports no package.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

CONSTRAINTS = Path("constraints.txt")
# GB on the disk at the fullest moment: the first was measured, the others are the end's size and the downloads'
PEAK = {"cuda": 7.0, "small": 2.4, "test": 0.9}
TERMINAL, PIPE = 1, 60  # s between two signs of life


def main() -> int:
    """Install what the arguments ask for; 1 where there is no room, or where pip failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("venv", type=Path)
    parser.add_argument("extras", help="of pyproject.toml, with commas between")
    parser.add_argument("--torch-index", default="", help="where torch's builds without CUDA are, if these are wanted")
    asked = parser.parse_args()
    linux, tests = sys.platform == "linux", asked.extras == "test"
    kind = "test" if tests else "cuda" if linux and not asked.torch_index else "small"
    if not fits(asked.venv, kind):
        return 1
    if kind == "small" and linux and not pip(asked.venv, "torch without CUDA", without_cuda(asked.torch_index)):
        log = (asked.venv / "pip.log").rename(asked.venv / "cpu-torch.log")
        print(f"torch without CUDA could not be had from {asked.torch_index} (see {log}); "
              "taking the ordinary builds, 6.4 GB", flush=True)  # fmt: skip
        kind = "cuda"
        if not fits(asked.venv, kind):
            return 1
    parts = {}
    if kind == "cuda":
        parts["CUDA libraries"] = ["--no-compile", "--no-deps", *pins("nvidia-.*")]
        parts["torch"] = ["--no-compile", "--no-deps", *pins("torch|torchvision|triton")]
    compiling = [] if tests else ["--no-compile"]  # scripts/compile_imported.py does it for a study
    parts["packages of the tests" if tests else "other packages"] = [*compiling, "--editable", f".[{asked.extras}]"]
    for title, words in parts.items():
        if not pip(asked.venv, title, words):
            log = asked.venv / "pip.log"
            print(f"pip failed; the end of {log}:", *log.read_text().splitlines()[-12:], sep="\n")
            return 1
    return 0


def fits(venv: Path, kind: str) -> bool:
    """Whether the disk has room for what is not there yet; where it has not, a line says so."""
    needed = PEAK[kind] - (0 if kind == "test" else gigabytes(venv))
    free = shutil.disk_usage(venv).free / 1e9
    if needed > free:
        less = "; CPU=1, without CUDA, needs 2.4 GB" if kind == "cuda" else ""
        print(f"no room for the packages: they need {needed:.1f} GB on the disk of {venv.absolute()}, "
              f"{free:.1f} GB are free{less}")  # fmt: skip
    return needed <= free


def pip(venv: Path, title: str, words: list[str]) -> bool:
    """Run `pip install` with a line that shows it lives. False if it failed; its words are in pip.log."""
    downloads = venv / "tmp"
    shutil.rmtree(downloads, ignore_errors=True)  # of a call that was killed
    downloads.mkdir()
    command = [str(venv / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
               "--no-cache-dir", "--constraint", str(CONSTRAINTS), *words]  # fmt: skip
    terminal, began, before = sys.stdout.isatty(), time.monotonic(), gigabytes(venv)
    with (venv / "pip.log").open("w") as log:
        running = subprocess.Popen(
            command, env=os.environ | {"TMPDIR": str(downloads.absolute())}, stdout=log, stderr=log
        )
        try:
            while not ended(running, TERMINAL if terminal else PIPE):
                got = gigabytes(downloads)
                new = max(0.0, gigabytes(venv) - got - before)
                line = f"  {title}: {got:.1f} GB downloaded, {new:.1f} GB installed, {time.monotonic() - began:.0f} s"
                print(f"\r{line}\033[K" if terminal else line, end="" if terminal else "\n", flush=True)
        finally:
            running.terminate()  # after Ctrl-C; it has ended otherwise
            running.wait()
            shutil.rmtree(downloads, ignore_errors=True)
    result = "done in" if running.returncode == 0 else "failed after"
    print("\r" * terminal + f"  {title}: {result} {time.monotonic() - began:.0f} s" + "\033[K" * terminal, flush=True)
    return running.returncode == 0


def ended(process: subprocess.Popen[bytes], seconds: float) -> bool:
    """Whether a process ends within some seconds."""
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


def without_cuda(index: str) -> list[str]:
    """torch's builds with the label +cpu: of its own index no others count, or pip takes them without a word."""
    builds = [f"{pin}+cpu" for pin in pins("torch|torchvision")]
    return ["--no-compile", "--no-deps", "--retries", "2", "--timeout", "30", "--index-url", index, *builds]


def pins(names: str) -> list[str]:
    """The lines of constraints.txt for packages whose names match."""
    return [line for line in CONSTRAINTS.read_text().splitlines() if re.fullmatch(rf"({names})==\S+", line)]


def gigabytes(folder: Path) -> float:
    """What a folder takes on the disk, in GB; files that vanish meanwhile count nothing."""
    total = 0
    for root, _, files in os.walk(folder):
        for name in files:
            try:
                total += os.lstat(os.path.join(root, name)).st_blocks * 512
            except FileNotFoundError:
                continue
    return total / 1e9


if __name__ == "__main__":
    sys.exit(main())
