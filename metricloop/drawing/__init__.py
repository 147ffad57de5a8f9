"""DRAWING: the demo's pictures, drawn animals with exact labels. Imports `data`."""
