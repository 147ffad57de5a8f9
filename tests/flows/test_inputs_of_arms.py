"""The stages before an arm follow from the files that it reads: embeddings, folders of scores, another arm's subset."""

from graphs import graph_of

from metricloop.study.graph import needed_for

BATCHES = {"labels": {"needs": "data/images.parquet"}, "model": {"needs": "data/predictions.parquet"}}
COUNT = "scores/labels/object_count.parquet"


def stages_before(a, b):
    arms = {"count": {"a": COUNT, "b": COUNT}, "asked": {"a": a, "b": b}}
    graph = graph_of({"batches": BATCHES, "arms": arms, "blocks": {}}, drawn=False)
    return needed_for(graph, ["select@asked"])[:-1]


def test_embeddings_are_made_for_an_arm_that_reads_them():
    assert stages_before(COUNT, "data/embeddings.parquet") == ["ingest", "embed", "score@labels"]


def test_an_arm_that_reads_a_folder_of_scores_needs_its_batch():
    assert stages_before("scores/labels", "scores/model") == ["ingest", "predict", "score@labels", "score@model"]


def test_embed_does_not_run_when_nothing_reads_embeddings():
    assert stages_before(COUNT, "subsets/count.parquet") == ["ingest", "score@labels", "select@count"]
