"""TRAINING: a subset becomes a trained detector: trials, out-of-fold models, evaluation of models.

Imports `detector`, `evaluation`, `params`, `runtime`, `data`."""
