"""What contained code may use up."""

from __future__ import annotations

from pydantic import Field

from detection.settings import Section


class Limits(Section):
    """Limits of one contained call. Memory and processes are those of the whole tree, not of one process.

    memory_mb: above what the interpreter with numpy and OpenCV takes before the first foreign line.
    start_seconds: for importing a metric's code; frame_seconds: for one frame; batch_seconds: for all of one call.
    The rest bounds `run` alone; a metric has one process and writes no file.
    """

    memory_mb: int = Field(default=1024, ge=64)
    start_seconds: float = Field(default=10, gt=0)
    frame_seconds: float = Field(default=5, gt=0)
    batch_seconds: float = Field(default=120, gt=0)
    processes: int = Field(default=16, ge=1, le=256)
    open_files: int = Field(default=64, ge=16, le=4096)
    file_mb: int = Field(default=64, ge=1)
    scratch_mb: int = Field(default=256, ge=1)
    scratch_entries: int = Field(default=2000, ge=10)
    output_kb: int = Field(default=64, ge=1)
