"""A checkpoint without some of its attention computes what the network computes with these layers off."""

from contextlib import ExitStack

import pytest
import torch
from ultralytics import YOLO

from tests.support import tiny
from tests.support.self_labelled import SIZE
from yolo_attn import cli
from yolo_attn.errors import AttentionError
from yolo_attn.evidence import layers, prune


def output(model: torch.nn.Module, off=()) -> torch.Tensor:
    found = layers.attention(model)
    with ExitStack() as stack, torch.inference_mode():
        for path in off:
            stack.enter_context(layers.off(found[path]))
        return model(tiny.image(0, SIZE))[0]


@pytest.mark.parametrize(
    ("drop", "left"),
    [
        ("4", ["model.1", "model.2.m.0.attn", "model.5"]),
        ("model.2.m.0.attn,1", ["model.3", "model.5"]),
        ("1,2,4,6", []),
    ],
)
def test_the_rest_computes_what_it_did(drop, left, labelled, tmp_path):
    model = layers.load(labelled("detect")[0])
    paths, file = prune.chosen(model.model, drop), tmp_path / "pruned.pt"
    prune.write(model, paths, file, "detect.pt")
    want = output(model.model, paths)
    pruned = YOLO(file).model.float().eval()
    assert torch.equal(output(pruned), want)
    assert list(layers.attention(pruned)) == left
    built = YOLO(file.with_suffix(".yaml")).model
    assert {name: t.shape for name, t in built.state_dict().items() if "blend" not in name} == {
        name: t.shape for name, t in pruned.state_dict().items() if "blend" not in name
    }
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pruned.pt", "pruned.yaml"]


def test_a_pruned_checkpoint_is_trained_on(labelled, tmp_path):
    file, data = labelled("detect")
    model = layers.load(file)
    prune.write(model, prune.chosen(model.model, "1,2"), tmp_path / "pruned.pt", "detect.pt")
    said = {**tiny.TINY, "data": data, "fraction": 1.0, "epochs": 1, "project": str(tmp_path), "name": "one"}
    YOLO(tmp_path / "pruned.pt").train(**said)
    assert list(layers.attention(YOLO(tmp_path / "one" / "weights" / "last.pt").model)) == ["model.3", "model.5"]


def test_what_is_there_stays_there(labelled, tmp_path):
    model = layers.load(labelled("detect")[0])
    (tmp_path / "pruned.yaml").write_text("mine")
    with pytest.raises(AttentionError, match=r"pruned.yaml' is there already"):
        prune.write(model, ["model.4"], tmp_path / "pruned.pt", "detect.pt")
    assert [path.name for path in tmp_path.iterdir()] == ["pruned.yaml"]
    prune.write(model, ["model.4"], tmp_path / "pruned.pt", "detect.pt", exist_ok=True)
    assert (tmp_path / "pruned.yaml").read_text() != "mine"


def test_attention_in_two_bottlenecks_goes_together(tmp_path):
    rows = tiny.detector()
    rows["backbone"][1] = [-1, 2, "C3_ECA", [16]]
    rows["backbone"].insert(2, [-1, 1, "Conv", [16, 3, 2]])
    rows["head"][0][0] = [0, 2, 3]
    model = tiny.build(rows)
    with pytest.raises(AttentionError, match=r"row 1 has attention in model.1.m.1.attn too.*write drop=1"):
        prune.chosen(model, "model.1.m.0.attn")
    assert prune.chosen(model, "1") == ["model.1.m.0.attn", "model.1.m.1.attn"]
    assert not layers.attention(prune.without(model, prune.chosen(model, "1")))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("drop=9", "drop=9 is no attention layer; those are rows 1, 2, 4, 6: model.1, model.2.m.0.attn"),
        ("-o pruned.pt", "-o pruned.pt needs drop="),
        ("drop=4 -o pruned.onnx", "'pruned.onnx' is no name for a checkpoint: write -o pruned.pt"),
        ("drop=4 -o here.pt", "'here.pt' is there already: write exist_ok=True"),
        ("data=nowhere.yaml", "data=nowhere.yaml cannot be used"),
    ],
)
def test_what_cannot_be_done_is_one_line_before_anything_is(words, said, labelled, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here.pt").touch()
    file, data = labelled("detect")
    given = [str(file), *words.split(), *([] if "data=" in words else [f"data={data}"])]
    assert cli.main(["ablate", *given]) == 1
    errors = capsys.readouterr().err.strip().splitlines()
    assert len(errors) == 1 and said in errors[0]
    assert [path.name for path in tmp_path.iterdir()] == ["here.pt"]
