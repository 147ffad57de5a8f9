"""TASKS: the pipeline, one short file per step: read files, call the library, write files."""

if __name__ != "metricloop.tasks":
    raise ImportError("this package is called metricloop.tasks; import it by that name")
