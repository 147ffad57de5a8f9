"""draw: the demo's data set, procedurally drawn panda scenes."""

from __future__ import annotations

from pathlib import Path

from metricloop.params import load_params
from metricloop.runtime.stage_start import begin_stage


def main() -> None:
    begin_stage("draw")
    from metricloop.drawing.scenes import draw_scenes

    scenes = load_params().scenes
    draw_scenes(Path("source"), scenes.images, scenes.seed, scenes.size)
    print(f"draw: {scenes.images} scenes in source/")


if __name__ == "__main__":
    main()
