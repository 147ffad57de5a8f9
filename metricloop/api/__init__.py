"""API: what `import metricloop as ml` offers, as thin adapters. Imports any library room; only `cli` may import it."""
