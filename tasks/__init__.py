"""TASKS: the pipeline, one short file per DVC stage: read files, call the library, write files. Other steps: `steps/`.

Imports `tracking`, `report`, `engineer`, `auditing`, `delivery`, `takehome`, `study`, `training`, `comparison`,
`selection`, `mending`, `scoring`, `params`, `llm`, `metrics`, `evaluation`, `sandbox`, `drawing`, `execution`,
`runtime`, `data`, `text`, `layout`.
"""

if __name__ != "metricloop.tasks":
    raise ImportError("this package is called metricloop.tasks; import it by that name")
