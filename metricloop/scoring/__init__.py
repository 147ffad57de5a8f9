"""SCORING: metrics become scores: loading, the acceptance gate, the sandbox, one pass over the pool, the store.

Imports `metrics`, `sandbox`, `params`, `runtime`, `data`."""
