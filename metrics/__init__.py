"""JUDGE: the metric contract, the catalogue, and loading of metrics by path."""
