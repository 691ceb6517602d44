"""Attention at every place: which there are, and which layer of the network is the one of which place."""

import pytest
from ultralytics.nn.tasks import DetectionModel

from yolo_attn.evidence import prune
from yolo_attn.placement import everywhere
from yolo_attn.upstream import layout


@pytest.fixture(scope="module")
def found() -> everywhere.Everywhere:
    return everywhere.of(layout.load("yolo11n.yaml"))


def test_the_places_are_stages_neck_pooling_blocks_and_what_only_the_head_reads(found):
    words = set(found.places)
    assert words >= {"after:2", "after:9", "after:16", "in:4", "in:10", "head-P3", "head-P4"}
    assert "head-P5" not in words  # only the head reads the last block: it is after:22
    assert not {"in:0", "after:0", "in:9"} & words


def test_each_place_is_a_model_of_its_own(found):
    rows = [str(found.model("eca", [word])["backbone"] + found.model("eca", [word])["head"]) for word in found.places]
    assert len(set(rows)) == len(rows)


def test_every_layer_is_of_the_place_that_asked_for_it(found):
    whole = DetectionModel(found.model("eca", found.places), verbose=False)
    paths = found.paths(whole)
    assert list(paths) != [] and set(paths) == set(found.places)
    for word in ("after:4", "head-P3", "in:6", "after:22"):
        alone = DetectionModel(found.model("eca", [word]), verbose=False)
        assert list(found.paths(alone)) == [word] and len(found.paths(alone)[word]) == len(paths[word])


def test_what_is_left_is_named_as_before(found):
    whole = DetectionModel(found.model("eca", found.places), verbose=False)
    paths = found.paths(whole)
    gone = [path for word in ("after:2", "in:4", "head-P4", "after:16") for path in paths[word]]
    left = found.paths(prune.without(whole, gone))
    assert {word: len(one) for word, one in left.items()} == {
        word: len(one) for word, one in paths.items() if word not in ("after:2", "in:4", "head-P4", "after:16")
    }
