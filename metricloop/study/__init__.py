"""STUDY: a workspace: its plan, parameters, stage graph, code digests and commits. Imports all below `figures`."""
