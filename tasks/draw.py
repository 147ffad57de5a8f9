"""draw: the demo's data set, procedurally drawn panda scenes."""

from __future__ import annotations

from pathlib import Path

from tasks.guard import guard
from tasks.params import load_params


def main() -> None:
    guard("draw")
    from detection.scenes import draw_scenes

    scenes = load_params().scenes
    draw_scenes(Path("source"), scenes.images, scenes.seed, scenes.size)
    print(f"draw: {scenes.images} scenes in source/")


if __name__ == "__main__":
    main()
