"""draw: draw the demo's data set, scenes with pandas."""

from __future__ import annotations

from pathlib import Path

from metricloop import layout
from metricloop.drawing.scenes import draw_scenes
from metricloop.params import load_params
from metricloop.runtime.stage_start import begin_stage


def main() -> None:
    begin_stage("draw")
    scenes = load_params().scenes
    draw_scenes(Path(layout.SOURCE), scenes.images, scenes.seed, scenes.size)
    print(f"draw: {scenes.images} scenes in {layout.SOURCE}/")


if __name__ == "__main__":
    main()
