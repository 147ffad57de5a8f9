"""DECIDE: what happens next. Prefect flows and the command line; no numerics, no torch."""
