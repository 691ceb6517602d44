"""Attention inside blocks: the block is upstream's own, its bottlenecks have attention."""

import copy
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from ultralytics import YOLO
from ultralytics.nn import tasks
from ultralytics.utils import LOGGER

from tests.support.sensitive import sensitive
from yolo_attn.errors import AttentionError
from yolo_attn.nn import CBAM, ECA, Attention, Deployed
from yolo_attn.upstream import blocks, checkpoints
from yolo_attn.upstream.blocks import AttentionBottleneck


def layer_of(row: list, width: float = 0.5, scale: str = "n") -> torch.nn.Module:
    """Returns the layer of a row behind a convolution of 128 channels, before width scaling."""
    model = {"nc": 2, "yaml_file": "my.yaml", "scale": scale, "scales": {scale: [1.0, width, 1024]},
             "backbone": [[-1, 1, "Conv", [128, 1]], row], "head": []}  # fmt: skip
    torch.manual_seed(0)
    return tasks.parse_model(model, 3, verbose=False)[0][1].eval()


ROWS = {
    "C3": [-1, 3, "C3", [128]],
    "C2f": [-1, 2, "C2f", [256, True]],
    "C3k2": [-1, 2, "C3k2", [128, False, 0.25]],
    "C3k2 with C3k": [-1, 2, "C3k2", [128, True]],
    "C3k2 with PSABlock": [-1, 1, "C3k2", [128, True, 0.5, True]],
    "Bottleneck": [-1, 1, "Bottleneck", [128]],
    "Bottleneck, repeated": [-1, 3, "Bottleneck", [128, False]],
    "BottleneckCSP": [-1, 2, "BottleneckCSP", [128]],
    "C2": [-1, 2, "C2", [128]],
    "C3x": [-1, 2, "C3x", [128]],
    "A2C2f": [-1, 2, "A2C2f", [128, False, -1]],
    "RepNCSPELAN4": [-1, 1, "RepNCSPELAN4", [128, 64, 32, 1]],
}


@pytest.mark.parametrize("case", ROWS)
def test_a_block_with_attention_is_the_block_and_attention(case):
    f, n, name, args = ROWS[case]
    plain = layer_of([f, n, name, list(args)])
    layer = layer_of([f, n, f"{name}_CBAM", [*args, {"reduction": 4}]])
    own, ours = plain.state_dict(), layer.state_dict()
    assert own.keys() <= ours.keys() and all(torch.equal(own[key], ours[key]) for key in own)
    added = ours.keys() - own.keys()
    assert added and all(".attn." in f".{key}" for key in added)
    assert layer.np == sum(p.numel() for p in layer.parameters()) and layer.type == f"{plain.type}_CBAM"
    assert (layer.i, layer.f) == (plain.i, plain.f)
    inner = [m for m in layer.modules() if isinstance(m, AttentionBottleneck)]
    assert inner and all(m.attn.reduction == 4 and m.attn.channels == m.cv2.conv.out_channels for m in inner)
    x = torch.rand(2, 64, 8, 8)
    with torch.no_grad():
        different = layer(x)
        for m in inner:
            m.attn = torch.nn.Identity()
        torch.testing.assert_close(layer(x), plain(x))
    assert different.shape == plain(x).shape and not torch.allclose(different, plain(x))


def test_rows_where_the_papers_put_it():
    """SE-ResNet, figure 3, and CBAM, figure 3: the residual is refined, then the shortcut is added."""
    layer = layer_of([-1, 1, "Bottleneck_SE", [128]])
    x = torch.rand(1, 64, 4, 4)
    residual = layer.cv2(layer.cv1(x))
    torch.testing.assert_close(layer(x), x + residual * layer.attn.gate(residual))


@pytest.mark.parametrize("name", ["C3CBAM", "C3_CBAMBlock", "C3_cbam", "yolo_attn.C3_CBAM", "C3_CBAM"])
def test_the_names_people_write(name):
    assert isinstance(layer_of([-1, 1, name, [128]]).m[0].attn, CBAM)


def test_scales_that_change_the_block_are_upstreams():
    assert type(layer_of([-1, 1, "C3k2_ECA", [128, False, 0.25]], 1.0, "m").m[0]).__name__ == "C3k"


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ([-1, 1, "C3_CBMA", [128]], "row 1 .*unknown module 'C3_CBMA'.*and inside A2C2f, Bottleneck"),
        ([-1, 1, "C3_CBAM", [128, {"reductoin": 8}]], r"my.yaml, row 1 \[-1, 1, C3_CBAM.*no option 'reductoin'"),
        ([-1, 1, "C3_CBAM", [128, {"reduction": 64}]], "row 1 .*cannot reduce 32 channels by 64"),
        ([-1, 1, "ResNetLayer_CBAM", [64, 64, 1, True, 1]], "row 1 .*ResNetLayer with these arguments holds no block"),
        ([-1, 1, "SPPF_CBAM", [128, 5]], "unknown module 'SPPF_CBAM'"),
    ],
)
def test_blocks_that_cannot_be_built_are_refused_with_file_row_and_mend(row, message):
    with pytest.raises(AttentionError, match=message) as raised:
        layer_of(row)
    assert "\n" not in str(raised.value)


def test_a_foreign_block_of_the_same_name_is_not_shadowed(monkeypatch):
    monkeypatch.setattr(tasks, "C3_CBAM", torch.nn.Identity, raising=False)
    assert type(layer_of([-1, 1, "C3_CBAM", [128]])) is torch.nn.Identity
    assert isinstance(layer_of([-1, 1, "yolo_attn.C3_CBAM", [128]]).m[0].attn, CBAM)


def test_the_printed_table_shows_it(log):
    tasks.parse_model(tasks.yaml_model_load("yolov5n-se-in-backbone.yaml"), 3, verbose=True)
    printed = {line.split()[0]: line.split() for line in log.text.splitlines() if "nn.modules" in line}
    lines = {text[-6:] for text in log.text.split() if text.endswith("C3_SE")}
    assert lines == {".C3_SE"} and len(LOGGER.filters) == 0, printed


def test_a_model_with_blocks_trains_saves_fuses_and_exports(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = YOLO("yolo11n-cbam-in-P4-eca-in-P5.yaml")
    sensitive(model.model)
    kinds = {type(m.attn) for m in model.model.modules() if isinstance(m, AttentionBottleneck)}
    assert kinds == {CBAM, ECA}
    out = model.model.train()(torch.rand(2, 3, 64, 64))
    sum(v.mean() for v in (out.values() if isinstance(out, dict) else out) if torch.is_tensor(v)).backward()
    copy.deepcopy(model.model)
    model.save("my.pt")
    assert AttentionBottleneck in checkpoints.classes()
    x = torch.rand(1, 3, 64, 64)
    torch.save(x, "x.pt")
    code = (
        "import torch; from ultralytics import YOLO; x = torch.load('x.pt'); m = YOLO('my.pt').model.eval();"
        "torch.save(m(x)[0].detach(), 'y.pt')"
    )
    env = {**os.environ, "ULTRALYTICS_SAFE_LOAD": "1"}  # admits known classes only
    done = subprocess.run([sys.executable, "-c", code], env=env, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    loaded = YOLO("my.pt").model.float().eval()
    torch.testing.assert_close(torch.load("y.pt"), loaded(x)[0].detach())
    before = loaded(x)[0].detach()
    fused = loaded.fuse(verbose=False)
    assert fused.is_fused() and any(isinstance(m, Deployed) for m in fused.modules())
    assert not any(isinstance(m, Attention) for m in fused.modules())
    torch.testing.assert_close(fused(x)[0].detach(), before, rtol=1e-3, atol=1e-3)
    assert Path(YOLO("my.pt").export(format="onnx", imgsz=64)).is_file()  # compared with PyTorch by the exporter


def test_a_block_that_this_release_lacks_is_said(monkeypatch):
    monkeypatch.delattr(blocks.modules, "A2C2f")
    with pytest.raises(AttentionError, match="row 3: this ultralytics has no A2C2f"):
        blocks.take([[-1, 1, "A2C2f_SE", [64]]], {0: "row 3"})
