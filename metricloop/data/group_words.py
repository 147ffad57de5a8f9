"""The words of data.group and data.near_duplicates, in a module of their own so that parameters load quickly."""

AUTO = "auto"  # what the names and the pictures themselves tell
OFF = "off"
