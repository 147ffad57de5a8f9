"""SCORING: loads metrics, checks them at the gate, scores a pool with them, and stores the scores.

Imports `metrics`, `sandbox`, `params`, `runtime`, `data`."""
