"""The whole list of source files that the digest of each stage depends on, room by room.

A file that joins a list makes DVC run the stage again in every workspace when that file changes. So a new entry here
needs a reason: the file must shape the stage's result.
"""

import pytest
import yaml

from metricloop.runtime.code_digest import HOME, detector_digest, sources
from metricloop.study.rendering import render_stages

SOURCES = {
    "draw": """
        data: tables
        drawing: __init__ animals backdrops bears parts scenes sprites
        tasks: draw
    """,
    "ingest": """
        data: __init__ boxes damage damage_presets door packed packed_zip urls films group_words grouping heif held_out
        data: ingest
        data: label_errors leaks
        data: label_changes label_versions likeness near_links picture_check picture_header pictures problem_list
        data: repaired_truth splits summary tables
        data/formats: __init__ broken_json classes coco_boxes coco_files coco_groups label_pictures paths picture_index
        data/formats: place problem repair source split_names values voc_lists xml_text yaml_text yolo_files
        data/formats: cvat_shapes cvat_tracks huggingface_objects huggingface_rows label_studio_regions yolo_labels
        data/formats: yolo_lines
        data/readers: *
        tasks: ingest
        text: clean
    """,
    "second_labels": """
        data: __init__ boxes dataset door urls frame heif label_changes label_errors loading picture_header pictures
        data: packed packed_zip problem_list
        data: repaired_truth second_labels second_opinion tables
        data/formats: __init__ broken_json classes coco_boxes coco_files coco_groups cvat_shapes cvat_tracks
        data/formats: folder_check huggingface_objects huggingface_rows label_pictures label_studio_regions paths
        data/formats: picture_folder picture_index
        data/formats: place problem repair repaired source split_names values voc_lists
        data/formats: writer xml_text yaml_text yolo_files yolo_labels yolo_lines
        data/readers: *
        tasks: second_labels
        text: clean
    """,
    "predict": """
        data: __init__ dataset door urls frame heif letterbox loading manifest picture_header pictures pool tables
        data: packed packed_zip
        detector: __init__ augment detectors engine memory pixel_cache torchvision_detector views
        detector:
        detector/architectures: __init__
        detector/backbones: drawn_animals.pt
        tasks: predict
        training: detect out_of_fold recipe trial
    """,
    "embed": """
        data: __init__ dataset door urls embeddings frame heif letterbox loading picture_header pictures pool tables
        data: packed packed_zip
        detector: __init__ augment detectors embed engine torchvision_detector
        detector/architectures: __init__
        detector/backbones: drawn_animals.pt
        tasks: embed
        training: embed_pool
    """,
    "score": """
        data: __init__ boxes dataset door urls embeddings frame heif k_center loading near_links picture_header pictures
        data: packed packed_zip pool tables
        evaluation: greedy_match
        metrics/catalogue: *
        metrics: contract
        sandbox: __init__ child errors landlock libc limits payload places proc selftest selftest_inside standstill
        sandbox: supervisor syscalls tiers tree walls zygote
        scoring: __init__ batch inside_sandbox metric_digest metric_file metric_inputs open_metrics sandboxed
        scoring: score_column score_in_parts score_pool score_store trust
        tasks: score
        text: clean nearest
    """,
    "mend": """
        data: __init__ boxes dataset door urls edit_rows edits embeddings frame heif loading picture_header pictures
        data: packed packed_zip pool tables
        mending: inside_sandbox mend_pool open_repair repair_file sandboxed
        metrics/catalogue: __init__
        metrics/repairs: *
        metrics: contract repair_contract
        sandbox: __init__ child errors landlock libc limits payload places proc selftest selftest_inside standstill
        sandbox: supervisor syscalls tiers tree walls zygote
        scoring: __init__ batch inside_sandbox metric_digest metric_file metric_inputs open_metrics sandboxed
        scoring: score_column score_in_parts score_pool score_store trust
        tasks: mend
        text: clean nearest
    """,
    "screen": """
        data: __init__ dataset door urls frame heif letterbox loading manifest picture_header pictures seeds tables
        data: packed packed_zip
        detector: __init__ augment detectors engine memory pixel_cache torchvision_detector
        detector/architectures: __init__
        detector/backbones: drawn_animals.pt
        evaluation: coco
        study: blocks
        tasks: screen
        training: detect evaluate_models judged_trial recipe short_trial trial trials
    """,
    "train": """
        data: __init__ dataset door urls frame heif letterbox loading manifest picture_header pictures seeds tables
        data: packed packed_zip
        detector: __init__ augment detectors engine memory pixel_cache torchvision_detector
        detector/architectures: __init__
        detector/backbones: drawn_animals.pt
        study: blocks
        tasks: train
        training: recipe trial trials
    """,
    "evaluate": """
        data: __init__ dataset door packed packed_zip urls frame heif letterbox loading picture_header pictures seeds
        data: tables
        detector: __init__ augment detectors engine pixel_cache torchvision_detector
        detector/architectures: __init__
        detector/backbones: drawn_animals.pt
        evaluation: coco
        study: blocks
        tasks: evaluate
        training: detect evaluate_models recipe
    """,
    "select": """
        data: __init__ dataset embeddings frame k_center loading manifest near_links pool seeds splits tables
        data: edit_rows edits label_errors
        selection: always_and_distinct arm_files corrected greedy keep_values mended options policy select
        selection/policies: *
        tasks: select
    """,
    "compare": """
        comparison: __init__ arm_entry arm_rows compare dvc_numbers finalists groups looks parts power results
        comparison: screening spreads statistics
        comparison: tested
        data: dataset edit_rows frame loading manifest tables
        evaluation: average_precision coco
        selection: options
        study: looks
        tasks: compare
    """,
    "confirm": """
        comparison: confirmation results spreads statistics
        data: __init__ dataset door urls frame heif letterbox loading manifest picture_header pictures seeds tables
        data: packed packed_zip
        detector: __init__ augment detectors engine memory pixel_cache torchvision_detector
        detector/architectures: __init__
        detector/backbones: drawn_animals.pt
        evaluation: average_precision coco
        tasks: confirm
        training: detect evaluate_models judged_trial recipe trial trials
    """,
}


def files(listing: str) -> set[str]:
    """`room: a b` as {"metricloop/room/a.py", ...}; `*` is every module of the room."""
    found: set[str] = set()
    room = ""
    for word in listing.split():
        if word.endswith(":"):
            room = word.removesuffix(":")
        elif word == "*":
            found |= {path.relative_to(HOME).as_posix() for path in (HOME / "metricloop" / room).glob("*.py")}
        else:
            found.add(f"metricloop/{room}/{word}{'' if '.' in word else '.py'}")
    return found


@pytest.mark.parametrize("stage", SOURCES)
def test_the_sources_of_a_stage(stage):
    assert set(sources(stage)) == files(SOURCES[stage])


def test_what_shapes_no_result_of_a_stage():
    """A new policy trains no model again; a change to the text of numbers runs none of these stages again."""
    for stage in SOURCES:
        assert "metricloop/text/numbers.py" not in sources(stage)
        assert not [file for file in sources(stage) if file.startswith("metricloop/llm/")]
        assert any("/selection/policies/" in file for file in sources(stage)) == (stage == "select")


def test_modules_that_are_found_by_their_folder_count():
    assert "metricloop/selection/policies/strata.py" in sources("select")
    assert "metricloop/data/readers/yolo.py" in sources("ingest")
    for path in ("data/boxes.py", "data/k_center.py", "evaluation/greedy_match.py", "metrics/catalogue/fit.py"):
        assert f"metricloop/{path}" in sources("score")  # the catalogue's modules, and what they import


def test_a_detector_counts_for_the_studies_that_use_it():
    assert not [file for stage in SOURCES for file in sources(stage) if "fcos_shufflenet" in file]
    small, large = detector_digest("fcos_shufflenet"), detector_digest("fcos_resnet50_fpn")
    assert small != large
    stages = yaml.safe_load(render_stages(drawn=True, embeds=True, screens=True))["stages"]
    for kind in ("predict", "embed", "screen", "train", "evaluate", "confirm"):
        body = stages[kind].get("do", stages[kind])
        assert "detector" in [key for entry in body["params"] if isinstance(entry, dict) for key in entry["code.yaml"]]
