"""Every file and folder of a workspace, each named once; all paths are relative to the workspace."""

from __future__ import annotations

# What people write, or `init` writes for them.
PARAMS = "params.yaml"
ARMS = "arms.yaml"  # batches, arms and blocks of the person
BRIEF = "brief.md"  # what the person knows of the data, for the language model
SOURCE = "source"  # the data set itself, where it is drawn or was imported
FINGERPRINT = "fingerprint.yaml"  # of the data set's files, where they lie elsewhere
# What the flow writes.
ROUNDS = "rounds.yaml"  # the language model's batches, arms, screens and blocks, and the blocks of added seeds
STAGES = "dvc.yaml"
LOCK = "dvc.lock"
CODE = "code.yaml"  # one digest per stage
JOURNAL = "journal.jsonl"
RECORDING = "cassette.yaml"
PICTURES = "pictures"  # those that a language model was shown
LABELS = "labels"  # versions of the labels, made by `metricloop import-labels`
JUDGED = "labels/judged.json"  # what a person marked on the page of an audit, remembered by `metricloop fix`
# What the stages write.
DATA = "data"
IMAGES = "data/images.parquet"
BOXES = "data/boxes"  # one file per split, so that no stage depends on labels that it does not read
TRUTH = "data/truth.parquet"
BEFORE = "data/before.parquet"  # the pool's labels before any were repaired; only there with data.labels
SECOND = "data/second_labels.parquet"  # what a second labelling says of the pool's labels
SECOND_PROBLEMS = "data/second_problems.csv"
CATEGORIES = "data/categories.json"
SUMMARY = "data/summary.json"
PROBLEMS = "data/problems.csv"
PREDICTIONS = "data/predictions.parquet"
VIEWS = "data/views.parquet"
EMBEDDINGS = "data/embeddings.parquet"
SCORES = "scores"
EDITS = "edits"  # what repairs propose for the pool's labels
TRUST = "trust.json"  # of a batch, in its folder of scores
FAILURES = "failed.json"  # of a batch, in its folder of scores
SUBSETS = "subsets"
MODELS = "models"
RESULTS = "results"
SCREENING = "screening"
COMPARISON = "comparison.json"
FINALISTS = "finalists.json"
CONFIRMATION = "confirmation.json"
HEADLINE = "metrics.json"  # the winner's numbers, for `dvc metrics` and `dvc exp`
NUMBERS = "numbers"  # those of every arm, a file per arm
PLOTS = "plots"
GAINS = "plots/gains.csv"  # for `dvc plots`, drawn as the template of that name says
TRIALS = "plots/trials.csv"
PLOT_TEMPLATES = ".dvc/plots"
EXPLAIN = ".dvc/explain.sh"  # says what a stage needs that `dvc` started with another Python
OPENINGS = "opened.jsonl"  # every opening of the test split
# Metrics: digests of the catalogue, and code of people and models.
METRICS = "metrics"
CATALOGUE = "metrics/catalogue.yaml"
GENERATED = "metrics/generated"  # one folder per round, one file per metric
ADOPTED = "metrics/adopted"
MINE = "metrics/mine"
TRUSTED = "metrics/trusted.yaml"
# Detectors for use, one folder per version, and which version people should take.
PROMOTED = "promoted"
ALIASES = "promoted/aliases.json"
# What people look at.
REPORT = "report.html"
EXAMPLE = "example.jpg"  # some pictures with their boxes, as `init` understood them
AUDIT = "audit"
MLFLOW = "mlflow.db"
MLFLOW_FILES = "mlruns"
# Scratch: deletable at any time, never a dependency.
SCRATCH = ".metricloop"
CACHE = ".metricloop/cache"
KNOWN_CODE = ".metricloop/cache/code.json"  # digests of the running code, until a source file changes
CODE_FILES = ".metricloop/code"  # per digest of a stage's code, the digests of its source files
SUMS = ".metricloop/cache/sums.json"  # MD5 sums of files, until they change
KNOWN_SCORES = ".metricloop/cache/scores"
LISTED = ".metricloop/cache/listed.json"  # what a data set at a URL held when all its names were last asked for
SHOWN = ".metricloop/shown"  # what report and MLflow last showed, as a digest
RATES = ".metricloop/rates"  # clocks and rates, which no stage may write into its outputs
KEPT = ".metricloop/kept"  # outputs of the stages that run now, to be put back where one fails
UNPUSHED = ".metricloop/unpushed"  # there while the copy elsewhere is not complete
UNFETCHED = ".metricloop/unfetched"  # there while a workspace at an address is being brought here
RUN = ".metricloop/run.json"  # the run in progress, or the last one where it did not finish
RUN_LOCK = ".metricloop/locks/run.lock"
SECONDS = ".metricloop/rates/seconds.json"  # what each stage took when it last ran
LOCKS = ".metricloop/locks"
ENVIRONMENT = ".metricloop/environment"  # the folder of the Python environment that ran metricloop last


def boxes_file(split: str) -> str:
    """The labels of one split: pool, search or test."""
    return f"{BOXES}/{split}.parquet"


def scores_file(batch: str, metric: str) -> str:
    """The scores of one metric of a batch."""
    return f"{SCORES}/{batch}/{metric}.parquet"


def edits_file(repair: str) -> str:
    """The edits that a repair proposes for the labels of the pool."""
    return f"{EDITS}/{repair}.parquet"


def trust_file(batch: str) -> str:
    """How far the code of a batch is trusted, and what contained it."""
    return f"{SCORES}/{batch}/{TRUST}"


def failures_file(batch: str) -> str:
    """Metric -> message, for generated metrics that failed on the whole pool; only there when one did."""
    return f"{SCORES}/{batch}/{FAILURES}"


def subset_file(arm: str) -> str:
    """The manifest of an arm: all of its draws."""
    return f"{SUBSETS}/{arm}.parquet"


def model_folder(block: str) -> str:
    """The trained models of a block, one state dict per seed."""
    return f"{MODELS}/{block}"


def model_file(block: str, seed: int) -> str:
    """The state dict of one trained model."""
    return f"{model_folder(block)}/seed_{seed}.pt"


def history_file(block: str) -> str:
    """The loss of every iteration of a block's trials."""
    return f"{model_folder(block)}/history.parquet"


def training_recipe_file(block: str) -> str:
    """The settings that a block was trained with."""
    return f"{model_folder(block)}/recipe.json"


def screening_file(screen: str) -> str:
    """The numbers of an arm's short trials, by seed."""
    return f"{SCREENING}/{screen}.json"


def results_folder(block: str) -> str:
    """The evaluation of a block: predictions, matches, metrics.json, recipe.json."""
    return f"{RESULTS}/{block}"


def detections_file(block: str) -> str:
    """What a block's models detected on the search split, by seed."""
    return f"{results_folder(block)}/predictions.parquet"


def matches_file(block: str) -> str:
    """Which detections match which objects, by seed."""
    return f"{results_folder(block)}/matches.parquet"


def numbers_file(block: str) -> str:
    """The evaluation's numbers by seed, such as mAP."""
    return f"{results_folder(block)}/metrics.json"


def recipe_file(block: str) -> str:
    """The settings that a block was trained and evaluated with."""
    return f"{results_folder(block)}/recipe.json"


def arm_numbers_file(arm: str) -> str:
    """The numbers of an arm, for `dvc metrics`."""
    return f"{NUMBERS}/{arm}.json"


def promoted_folder(version: int | str) -> str:
    """The detector folder of a promoted version."""
    return f"{PROMOTED}/{version}"


def bundle_folder(version: int | str) -> str:
    """The bundle of a promoted version, where no other place is given."""
    return f"{PROMOTED}/{version}-bundle"


def rates_file(block: str) -> str:
    """Images per second of every iteration of a block's trials."""
    return f"{RATES}/{block}.parquet"
