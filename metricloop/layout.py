"""Every file and folder of a workspace, each named once; all paths are relative to the workspace."""

from __future__ import annotations

# What people write, or `init` writes for them.
PARAMS = "params.yaml"
ARMS = "arms.yaml"  # batches, arms and blocks of the person
BRIEF = "brief.md"  # what the person knows of the data, for the language model
SOURCE = "source"  # the data set itself, where it is drawn or was imported
# What the flow writes.
ROUNDS = "rounds.yaml"  # batches, arms and blocks of the language model's rounds
STAGES = "dvc.yaml"
LOCK = "dvc.lock"
CODE = "code.yaml"  # one digest per stage
JOURNAL = "journal.jsonl"
RECORDING = "cassette.yaml"
PICTURES = "pictures"  # those that a language model was shown
# What the stages write.
DATA = "data"
IMAGES = "data/images.parquet"
BOXES = "data/boxes.parquet"
TRUTH = "data/truth.parquet"
CATEGORIES = "data/categories.json"
SUMMARY = "data/summary.json"
PROBLEMS = "data/problems.csv"
PREDICTIONS = "data/predictions.parquet"
VIEWS = "data/views.parquet"
EMBEDDINGS = "data/embeddings.parquet"
SCORES = "scores"
SUBSETS = "subsets"
MODELS = "models"
RESULTS = "results"
COMPARISON = "comparison.json"
FINALISTS = "finalists.json"
CONFIRMATION = "confirmation.json"
OPENINGS = "opened.jsonl"  # every opening of the test split
# Metrics: digests of the catalogue, and code of people and models.
METRICS = "metrics"
CATALOGUE = "metrics/catalogue.yaml"
GENERATED = "metrics/generated"  # one folder per round, one file per metric
ADOPTED = "metrics/adopted"
MINE = "metrics/mine"
TRUSTED = "metrics/trusted.yaml"
# What people look at.
REPORT = "report.html"
AUDIT = "audit"
MLFLOW = "mlflow.db"
MLFLOW_FILES = "mlruns"
# Scratch: deletable at any time, never a dependency.
SCRATCH = ".metricloop"
CACHE = ".metricloop/cache"
KNOWN_SCORES = ".metricloop/cache/scores"
RATES = ".metricloop/rates"  # clocks and rates, which no stage may write into its outputs
LOCKS = ".metricloop/locks"


def scores_file(batch: str, metric: str) -> str:
    """The scores of one metric of a batch."""
    return f"{SCORES}/{batch}/{metric}.parquet"


def subset_file(arm: str) -> str:
    """The manifest of an arm: all of its draws."""
    return f"{SUBSETS}/{arm}.parquet"


def model_folder(block: str) -> str:
    """The trained models of a block, one state dict per seed."""
    return f"{MODELS}/{block}"


def results_folder(block: str) -> str:
    """The evaluation of a block: predictions, matches, metrics.json, recipe.json."""
    return f"{RESULTS}/{block}"


def rates_file(block: str) -> str:
    """Images per second of every iteration of a block's trials."""
    return f"{RATES}/{block}.parquet"
