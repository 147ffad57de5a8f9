"""EXECUTION: hand the trials and shards of a stage to processes of this machine, or to the nodes of a Ray cluster.

Imports `runtime`, `data`, `config`.
"""
