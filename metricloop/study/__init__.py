"""STUDY: a workspace: its plan, parameters, stage graph, commands and commits. May import every layer below."""
