"""The stage graph of a plan, as dvc.yaml of a new workspace declares it."""

import yaml

from metricloop.study.graph import reads_embeddings, wired
from metricloop.study.rendering import render_stages

PARAMS = {"data": {"source": "source", "root": "source"}}


def graph_of(plan, drawn=False):
    return wired(yaml.safe_load(render_stages(drawn=drawn, embeds=reads_embeddings(plan)))["stages"], plan, PARAMS)
