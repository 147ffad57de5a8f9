"""AUDIT: which labels look wrong, and how well each metric finds those known to be. Imports `scoring`, `evaluation`."""
