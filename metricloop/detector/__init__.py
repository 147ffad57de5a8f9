"""DETECTOR: the fixed torchvision detectors: build, train, predict, embed. Imports `drawing`, `data`."""
