"""DRAWING: draws the demo's pictures: scenes with animals and exact labels. Imports `data`."""
