"""RUNTIME: what every stage stands on: its lifetime and lock, the digest of its code, its progress. Imports `data`."""
