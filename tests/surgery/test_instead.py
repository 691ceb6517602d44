"""Attention in the place of a block: what gives way, what is refused and why, and what follows from it."""

import pytest
import torch

import yolo_attn
from tests.support.bases import base
from tests.support.sensitive import sensitive
from tests.support.tiny import build
from yolo_attn import cli
from yolo_attn.errors import AttentionError
from yolo_attn.surgery import recipe
from yolo_attn.upstream import compose, training


def plain() -> dict:
    """Returns a detector whose row 2 keeps channels and stride: 0 Conv, 1 Conv, 2 C2f, 3 Conv, 4 Detect."""
    return {
        "nc": 3, "depth_multiple": 1.0, "width_multiple": 1.0,
        "backbone": [
            [-1, 1, "Conv", [8, 3, 8]], [-1, 1, "Conv", [16, 3, 2]], [-1, 2, "C2f", [16, True]],
            [-1, 1, "Conv", [16, 3, 2]],
        ],
        "head": [[[0, 2, 3], 1, "Detect", ["nc"]]],
    }  # fmt: skip


def with_instead(**options) -> dict:
    return recipe.put_instead(plain(), 2, "SE", {"reduction": 4, **options})


@pytest.mark.parametrize(
    ("stem", "place", "row", "block"),
    [
        ("yolo11n", "instead:c2psa", 10, "C2PSA"),
        ("yolo11n", "instead-10", 10, "C2PSA"),
        ("yolo26s", "instead:C2PSA", 10, "C2PSA"),
        ("yolov8n", "instead:sppf", 9, "SPPF"),
        ("yolov8n", "instead:8", 8, "C2f"),
        ("yolov10n", "instead:psa", 10, "PSA"),
        ("yolov5n", "instead:2", 2, "C3"),
    ],
)
def test_the_row_gives_way(stem, place, row, block):
    model, layers = base(stem)
    with_attention = recipe.insert(model, "CBAM", place, layers)
    rows, before = recipe.all_rows(with_attention), recipe.all_rows(model)
    assert rows[row] == [before[row][0], 1, "CBAM", [{"instead": block}]]
    assert [r for i, r in enumerate(rows) if i != row] == [r for i, r in enumerate(before) if i != row]
    assert recipe.replaced(with_attention) == {row: block}


@pytest.mark.parametrize(
    ("stem", "place", "message"),
    [
        ("yolo11n", "instead:2", "row 2, C3k2, makes 64 channels of 32"),
        ("yolo11n", "instead:c3k2", "row 2, C3k2, makes 64 channels of 32"),
        ("yolo11n", "instead:1", "row 1, Conv, makes stride 4 of stride 2"),
        ("yolo11n", "instead:11", "row 11, nn.Upsample, makes stride 16 of stride 32"),
        ("yolo11n", "instead:12", "row 12, Concat, reads 2 rows"),
        ("yolo11n", "instead:0", "row 0, Conv, reads the image"),
        ("yolo11n", "instead:23", "no attention can stand instead of row 23; write one from 0 to 22"),
        ("yolo11n", "instead:99", "no attention can stand instead of row 99"),
        ("yolo11n", "instead", "'instead' needs a block or a row behind it: instead:c2psa or instead:9"),
        ("yolo11n", "instead:", "'instead:' needs a block or a row behind it"),
        ("yolov8n", "instead:c2psa", "this model has no block 'c2psa'; attention can stand instead of C2f, SPPF"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_reason(stem, place, message):
    model, layers = base(stem)
    with pytest.raises(AttentionError) as error:
        recipe.insert(model, "CBAM", place, layers)
    assert message in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    "attention",
    [[("SE", "instead:8"), ("ECA", "instead:8")], [("SE", "in:8"), ("ECA", "P3,instead:8")]],
)
def test_a_block_gives_way_once(attention):
    model, layers = base("yolov5n")
    with pytest.raises(AttentionError, match="row 8, .*, can give way to one operator alone"):
        recipe.insert_all(model, attention, layers)


def test_other_places_are_those_of_the_base():
    """Numbers and words mean the base's rows, whatever gave way; `P5` is behind the block that stood there."""
    for attention in ([("SE", "instead:8"), ("ECA", "P5,head-P5")], [("ECA", "P5,head-P5"), ("SE", "instead:8")]):
        model, layers = base("yolov8n")
        rows = recipe.all_rows(recipe.insert_all(model, attention, layers))
        assert [row[2] for row in rows[8:11]] == ["SE", "ECA", "SPPF"]
        assert rows[-2][2] == "ECA" and recipe.sources(rows, len(rows) - 1)[-1] == len(rows) - 2


def test_a_file_is_for_all_of_its_scales():
    """A block may keep the channels at one scale, where the width is capped, and change them at another."""
    model = {
        **plain(), "scales": {"n": [1, 1, 16], "s": [1, 1, 64]},
        "backbone": [[-1, 1, "Conv", [16, 3, 8]], [-1, 1, "Conv", [32, 3, 2]], [-1, 1, "Conv", [64, 3, 2]]],
        "head": [[-1, 1, "C2f", [32]], [[0, 1, 3], 1, "Detect", ["nc"]]],
    }  # fmt: skip
    del model["depth_multiple"], model["width_multiple"]
    with pytest.raises(AttentionError, match="at scale s 'instead:3': row 3, C2f, makes 32 channels of 64"):
        yolo_attn.insert(model, "se", at="instead:3", reduction=4)


def test_names_say_it():
    for stem in ("yolo11n-cbam-instead-c2psa", "yolo11n-cbam.r8-instead-10-P3", "yolo11n-se-in-4-instead-10"):
        name = compose.read(f"{stem}.yaml")
        assert name is not None and name.stem == stem
        assert len(recipe.replaced(compose.compose(name))) == 1


def test_everything_else_follows_from_pretrained_weights(log):
    source, model = sensitive(build(plain())), build(with_instead())
    model.load(source)
    for i in (0, 1, 3, 4):
        theirs = source.model[i].state_dict()
        assert theirs and all(torch.equal(mine, theirs[key]) for key, mine in model.model[i].state_dict().items())
    assert model.model[2].blend is not None and "keeps its output" not in log.text


def test_freeze_counts_the_block_that_gave_way():
    layers = build(with_instead()).model
    assert layers[2].instead == "C2f"
    assert training.translated(3, layers) == ["0", "1"]  # attention trains
    assert training.translated(4, layers) == ["0", "1", "3"]
    assert training.translated([3], layers) == ["3"]
    assert training.translated([2], layers) == ["2"]  # who names it means it


@pytest.mark.parametrize("value", [5, None, "", ["C2f"], True])
def test_a_word_that_is_none_is_refused(value):
    model = with_instead()
    model["backbone"][2][3][0]["instead"] = value
    with pytest.raises(AttentionError, match="row 2 .*: option 'instead' of SE must be the name of the block"):
        build(model)


def test_what_remove_cannot_bring_back_is_said(tmp_path, monkeypatch, capsys, log):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["add", "yolo11n.yaml", "cbam.r8", "at=instead:c2psa", "-o", "my.yaml"]) == 0
    assert "[-1, 1, CBAM, [{reduction: 8, instead: C2PSA}]]" in (tmp_path / "my.yaml").read_text()
    assert cli.main(["show", "my.yaml"]) == 0
    assert "base without row 10, C2PSA: 23 rows" in capsys.readouterr().out
    assert cli.main(["remove", "my.yaml"]) == 0
    printed = capsys.readouterr()
    assert "row 10 CBAM stands instead of C2PSA, which cannot be brought back" in printed.err
    assert "C2PSA" not in printed.out.partition("backbone:")[2] and "CBAM" not in printed.out
    assert len(recipe.all_rows(yolo_attn.remove("my.yaml"))) == 23
    assert "which cannot be brought back" in log.text
