"""TRAINING: train a detector on a subset, detect with it, evaluate it; out-of-fold models; embeddings of the pool.

Imports `params`, `detector`, `evaluation`, `execution`, `runtime`, `data`, `layout`.
"""
