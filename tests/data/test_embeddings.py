"""The table of embeddings there and back, and the network that makes them."""

import hashlib

import numpy as np
import pytest
import torch
from torch import nn

from metricloop.data.dataset import pool_of
from metricloop.data.embeddings import embeddings_of, read_embeddings, unit, write_embeddings
from metricloop.data.frame import Frame
from metricloop.data.letterbox import GREY
from metricloop.data.tables import TableError
from metricloop.detector.embed import Backbone, EmbedError, Network, build_network, embed, prepare

CPU = torch.device("cpu")
SMALL = {"detector": "fcos_shufflenet", "detector_weights": "none"}


def pool():
    """Images 1 and 2 with two boxes and one: boxes 0, 1 and 2."""
    boxes = np.float32([[0, 0, 4, 4]])
    return pool_of([Frame(i, 9, 9, np.repeat(boxes, 3 - i, axis=0), np.zeros(3 - i, np.int64)) for i in (1, 2)])


def row(split, image_id, box_id, vector, mark=None):
    return {
        "split": split,
        "image_id": image_id,
        "box_id": box_id,
        "vector": None if vector is None else np.array(vector, "<f4").tobytes(),
        "hash": mark,
        "thumbnail": None if mark is None else bytes([abs(mark) % 256]) * 256,
    }


def columns(*rows):
    return {name: [one[name] for one in rows] for name in rows[0]}


ROWS = [
    row("pool", 2, None, [0, 1], -1),  # the pool's second image first: order is by id
    row("pool", 2, 2, [1, 0]),
    row("pool", 1, None, [1, 0], 3),
    row("pool", 1, 1, None),  # a box without area
    row("pool", 1, 0, [0, 1]),
    row("search", 7, None, [0.6, 0.8], 9),
    row("test", 8, None, [0.8, 0.6], 10),
]


@pytest.mark.parametrize("parts", [[ROWS], [ROWS[:1], ROWS[1:4], ROWS[4:6], ROWS[6:]]])
def test_there_and_back_in_the_order_of_the_pool(tmp_path, parts):
    write_embeddings(tmp_path / "e.parquet", [columns(*part) for part in parts], {"dimensions": "2"})
    made = read_embeddings(tmp_path / "e.parquet", pool())
    np.testing.assert_array_equal(made.pool.images, np.float32([[1, 0], [0, 1]]))
    np.testing.assert_array_equal(made.pool.hashes, np.array([3, 2**64 - 1], np.uint64))
    assert made.pool.thumbnails[:, 0].tolist() == [3, 1]
    np.testing.assert_array_equal(made.crops, np.float32([[0, 1], [np.nan, np.nan], [1, 0]]))
    np.testing.assert_array_equal(made.held_out.images, np.float32([[0.6, 0.8], [0.8, 0.6]]))
    assert made.held_out.hashes.tolist() == [9, 10]


def test_no_picture_at_all_is_legal(tmp_path):
    write_embeddings(tmp_path / "e.parquet", [], {"dimensions": "5"})
    made = read_embeddings(tmp_path / "e.parquet", pool_of([]))
    assert made.pool.images.shape == made.crops.shape == made.held_out.images.shape == (0, 5)


@pytest.mark.parametrize(
    ("rows", "said"), [(ROWS[2:], "lacks 1 of the pool's 2 pictures"), (ROWS[:3], "lacks 2 of the pool's 3 boxes")]
)
def test_a_table_of_another_pool_is_refused(tmp_path, rows, said):
    write_embeddings(tmp_path / "e.parquet", [columns(*rows)], {"dimensions": "2"})
    with pytest.raises(TableError, match=f"{said}; run the stage embed again"):
        read_embeddings(tmp_path / "e.parquet", pool())


def test_a_missing_table_and_another_are_named(tmp_path):
    with pytest.raises(TableError, match="does not exist"):
        read_embeddings(tmp_path / "e.parquet", pool())
    write_embeddings(tmp_path / "e.parquet", [columns(*ROWS)], {})
    with pytest.raises(TableError, match="no a stamp with its dimensions"):
        read_embeddings(tmp_path / "e.parquet", pool())


def test_vectors_get_length_one_and_zeros_stay():
    made = embeddings_of([[3, 4], [0, 0]], [[np.nan, np.nan]])
    np.testing.assert_allclose(made.pool.images, [[0.6, 0.8], [0, 0]])
    assert np.isnan(made.crops).all()
    assert made.pool.images.dtype == unit(np.ones((1, 2))).dtype == np.float32


def stripes(height, width):
    picture = np.full((height, width, 3), 200, np.uint8)
    picture[:, ::8] = 20
    return picture


def vectors(network, *pictures, size=64):
    return np.stack(list(embed(network, [prepare(picture, size) for picture in pictures], CPU)))


def test_the_backbone_gives_the_means_of_its_three_stages():
    network = build_network("backbone", "default", 64, **SMALL)
    found = vectors(network, stripes(40, 80), stripes(64, 64))
    assert found.shape == (2, 48 + 96 + 192) == (2, network.dimensions)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, rtol=1e-6)
    # by hand, for a picture without padding
    pixels = torch.from_numpy(stripes(64, 64)).permute(2, 0, 1)[None].float()
    x, means = network.stem((pixels - network.mean) / network.std), []
    for stage in network.stages:
        x = stage(x)
        means.append(x.mean(dim=(2, 3)))
    by_hand = torch.cat(means, dim=1).detach().numpy()
    np.testing.assert_allclose(found[1], by_hand[0] / np.linalg.norm(by_hand), rtol=1e-4, atol=1e-6)


def test_padding_has_no_part_in_the_mean():
    class Shown(Network):
        """Cells of four pixels as they are."""

        def vectors(self, pictures, filled):
            return Backbone(nn.AvgPool2d(4), [nn.Identity()]).vectors(pictures, filled)

    dark, size = np.full((24, 64, 3), 10, np.uint8), 64
    assert prepare(dark, size)[0][40, 0].tolist() == [GREY] * 3
    half, whole = vectors(Shown(), dark, np.full((64, 64, 3), 10, np.uint8))
    np.testing.assert_allclose(half, whole, atol=1e-6)


def test_a_batch_changes_nothing_and_neither_does_asking_twice():
    network = build_network("backbone", "default", 64, **SMALL)
    pictures = [stripes(16 + k, 64) for k in range(70)]
    together = vectors(network, *pictures)
    np.testing.assert_array_equal(together, vectors(network, *pictures))
    np.testing.assert_allclose(together[66], vectors(network, pictures[66])[0], atol=1e-5)


def digest(network):
    return hashlib.sha256(b"".join(value.numpy().tobytes() for value in network.state_dict().values())).hexdigest()


def test_weights_are_the_detectors_none_or_a_file(tmp_path):
    drawn = build_network("backbone", "default", 64, detector="fcos_shufflenet", detector_weights="drawn")
    none = build_network("backbone", "none", 64, detector="fcos_shufflenet", detector_weights="drawn")
    assert digest(none) == digest(build_network("backbone", "default", 64, **SMALL)) != digest(drawn)
    resnet = build_network("resnet18", "none", 64, **SMALL)
    assert vectors(resnet, stripes(40, 80)).shape == (1, 512)
    torch.save({f"{name}": value + 0.5 for name, value in resnet.net.state_dict().items()}, tmp_path / "w.pt")
    assert digest(build_network("resnet18", str(tmp_path / "w.pt"), 64, **SMALL)) != digest(resnet)


@pytest.mark.parametrize("detector", ["ssdlite320_mobilenet_v3_large", "fasterrcnn_mobilenet_v3_large_320_fpn"])
def test_other_detectors_have_a_backbone_too(detector):
    network = build_network("backbone", "none", 64, detector=detector, detector_weights="none")
    assert vectors(network, stripes(40, 80)).shape == (1, network.dimensions)


@pytest.mark.parametrize(
    ("model", "weights", "size", "said"),
    [
        ("resnet17", "none", 64, "unknown network 'resnet17'; did you mean 'resnet18'?"),
        ("back_bone", "none", 64, "did you mean 'backbone'?"),
        ("zzz", "none", 64, "give backbone or a classifier of torchvision"),
        ("squeezenet1_1", "none", 64, "does not end in a linear layer"),
        ("alexnet", "none", 32, "embed.image_size: alexnet takes no pictures of 32 pixels"),
        ("resnet18", "/no/such.pt", 64, "embed.weights: /no/such.pt does not exist"),
        ("backbone", "/no/such.pt", 64, "embed.weights: /no/such.pt does not exist"),
    ],
)
def test_what_cannot_be_built_is_said(model, weights, size, said):
    with pytest.raises(EmbedError) as told:
        build_network(model, weights, size, **SMALL)
    assert said in str(told.value)
