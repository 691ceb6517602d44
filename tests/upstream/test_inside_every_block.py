"""Attention inside each block that Ultralytics' models use, by value: with a gate of g everywhere, x + g · f(x).

The formulas are written out on the plain block, with its own children, and say where its residual branch ends.
"""

import pytest
import torch
from torch import nn
from ultralytics import YOLO
from ultralytics.nn import tasks
from ultralytics.nn.modules import block as blocks_of_ultralytics

from tests.support.sensitive import sensitive
from tests.upstream.test_blocks import layer_of
from yolo_attn.nn.base import operators
from yolo_attn.surgery.rows import BLOCKS
from yolo_attn.upstream.blocks import BRANCHES, REPLACED

G = 0.25


class Times(nn.Module):
    """A gate that is known: G everywhere."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return G * x


def bottleneck(m, x):
    return G * m.cv2(m.cv1(x)) + (x if m.add else 0)


def hgblock(m, x):
    y = [x]
    for conv in m.m:
        y.append(conv(y[-1]))
    return G * m.ec(m.sc(torch.cat(y, 1))) + (x if m.add else 0)


def psa(m, x):
    a, b = m.cv1(x).chunk(2, 1)
    b = b + m.attn(b)
    return m.cv2(torch.cat((a, b + G * m.ffn(b)), 1))


def elan1(m, x):
    a, b = m.cv1(x).chunk(2, 1)
    return G * m.cv4(torch.cat((a, b, m.cv2(b), m.cv3(m.cv2(b))), 1))


def basic(m, x):
    return (G * m.bn2(m.conv2(m.bn1(m.conv1(x)).relu())) + (m.downsample(x) if m.downsample else x)).relu()


def three(m, x):
    y = m.bn2(m.conv2(m.bn1(m.conv1(x)).relu())).relu()
    return (G * m.bn3(m.conv3(y)) + (m.downsample(x) if m.downsample else x)).relu()


FORMULAS = {
    "ABlock": lambda m, x: x + m.attn(x) + G * m.mlp(x + m.attn(x)),
    "BasicBlock": basic,
    "Bottleneck": bottleneck,
    "C1": lambda m, x: m.cv1(x) + G * m.m(m.cv1(x)),
    "C3TR": lambda m, x: G * m.cv3(torch.cat((m.m(m.cv1(x)), m.cv2(x)), 1)),
    "CIB": lambda m, x: G * m.cv1(x) + (x if m.add else 0),
    "CNBlock": lambda m, x: x + m.layer_scale * G * m.block(x),
    "Conv": lambda m, x: G * m(x),
    "ELAN1": elan1,
    "FusedMBConv": lambda m, x: G * m.block(x) + (x if m.use_res_connect else 0),
    "GhostBottleneck": lambda m, x: m.shortcut(x) + G * m.conv(x),
    "HGBlock": hgblock,
    "InvertedResidual": lambda m, x: (
        G * (m.conv if hasattr(m, "conv") else m.block)(x) + (x if m.use_res_connect else 0)
    ),
    "MBConv": lambda m, x: G * m.block(x) + (x if m.use_res_connect else 0),
    "PSA": psa,
    "PSABlock": lambda m, x: x + m.attn(x) + G * m.ffn(x + m.attn(x)),
    "RepBottleneck": bottleneck,
    "RepC3": lambda m, x: m.cv3(G * m.m(m.cv1(x)) + m.cv2(x)),
    "ResNetBlock": lambda m, x: (G * m.cv3(m.cv2(m.cv1(x))) + m.shortcut(x)).relu(),
    "torchvision's Bottleneck": three,
}
# A row of each block, and the class or classes in it that have the residual branch; of the others, which are made of
# bottlenecks, tells test_blocks.
ROWS = [
    ([-1, 2, "A2C2f", [128, True, 1]], "ABlock"),
    ([-1, 2, "A2C2f", [128, True, 1, True]], "ABlock"),
    ([-1, 1, "A2C2f", [128, False, -1]], "Bottleneck"),
    ([-1, 2, "C1", [128]], "C1"),
    ([-1, 2, "C2fCIB", [128, True]], "CIB"),
    ([-1, 1, "C2fCIB", [128, False, True]], "CIB"),
    ([-1, 2, "C2fPSA", [128]], "PSABlock"),
    ([-1, 2, "C2PSA", [128]], "PSABlock"),
    ([-1, 2, "C3Ghost", [128]], "GhostBottleneck"),
    ([-1, 1, "C3TR", [128]], "C3TR"),
    ([-1, 2, "Conv", [128, 3]], "Conv"),
    ([-1, 1, "ELAN1", [128, 64, 32]], "ELAN1"),
    ([-1, 1, "GhostBottleneck", [128, 3, 2]], "GhostBottleneck"),
    ([-1, 2, "HGBlock", [48, 64, 3, True, True]], "HGBlock"),
    ([-1, 1, "HGBlock", [48, 128, 3]], "HGBlock"),
    ([-1, 1, "PSA", [128]], "PSA"),
    ([-1, 2, "RepC3", [128]], "RepC3"),
    ([-1, 2, "RepC3", [128, 0.5]], "RepC3"),
    ([-1, 1, "RepNCSPELAN4", [128, 64, 32, 1]], "RepBottleneck"),
    ([-1, 1, "ResNetLayer", [64, 16, 2, False, 2]], "ResNetBlock"),
    *(
        ([-1, 1, "TorchVision", [512, model, None, True, 2]], block)
        for model, block in (
            ("resnet18", "BasicBlock"), ("resnet50", "torchvision's Bottleneck"), ("mobilenet_v2", "InvertedResidual"),
            ("mobilenet_v3_small", "InvertedResidual"), ("efficientnet_b0", "MBConv"), ("convnext_tiny", "CNBlock"),
            ("efficientnet_v2_s", "FusedMBConv+MBConv"),
        )
    ),
]  # fmt: skip


def name_of(module: nn.Module) -> str:
    vision = type(module).__module__.startswith("torchvision.")
    name = type(module).__name__
    return "torchvision's Bottleneck" if vision and name == "Bottleneck" else name


def fit(layer: nn.Module, x: torch.Tensor) -> None:
    """Lets a layer keep its maps of deviation 1, in place: where they fade, blocks that differ look the same."""
    for m in layer.modules():
        if isinstance(m, nn.BatchNorm2d):
            m.momentum = 1.0
    for key, value in layer.named_parameters():
        if key.endswith(("layer_scale", "gamma")):
            nn.init.ones_(value)
    with torch.no_grad():
        layer.train()(x)
    layer.eval()


def built(row: list) -> nn.Module:
    """Returns a row's layer: torchvision's reads the picture, others 64 channels."""
    if not row[2].startswith("TorchVision"):
        return layer_of(row)
    torch.manual_seed(0)
    return tasks.parse_model({"nc": 2, "backbone": [row], "head": []}, 3, verbose=False)[0].eval()[0]


@pytest.mark.parametrize(("row", "block"), ROWS, ids=[f"{row[2]} {row[3]}" for row, _ in ROWS])
def test_the_residual_is_gated_before_it_is_added_up(row, block):
    f, n, name, args = row
    plain = built([f, n, name, list(args)])
    layer = built([f, n, f"{name}_SE", [*args, {"reduction": 2}]])
    x = torch.randn(2, 3, 64, 64) if name == "TorchVision" else torch.randn(2, 64, 8, 8)
    fit(plain, x)
    missing, unexpected = layer.load_state_dict(plain.state_dict(), strict=False)
    found = operators(layer)
    assert not unexpected and {key.rpartition(".mlp")[0] for key in missing} == found.keys()
    assert layer.np == sum(p.numel() for p in layer.parameters()) and layer.type == f"{plain.type}_SE"
    for path in found:
        parent, _, child = path.rpartition(".")
        setattr(layer.get_submodule(parent), child, Times())

    blocks = {path: name_of(m) for path, m in plain.named_modules() if name_of(m) in block.split("+")}
    assert len(blocks) == len(found)
    seen: dict[str, tuple] = {}
    for path in blocks:
        layer.get_submodule(path).register_forward_hook(
            lambda m, inputs, output, path=path: seen.update({path: (inputs[0].clone(), output.clone())})
        )
    with torch.no_grad():
        y = layer(x)
        for path, kind in blocks.items():
            arrived, left = seen[path]
            assert left.abs().max() > 0.1
            torch.testing.assert_close(left, FORMULAS[kind](plain.get_submodule(path), arrived.clone()))
        assert not torch.allclose(y, plain(x))
        for path in found:
            parent, _, child = path.rpartition(".")
            setattr(layer.get_submodule(parent), child, nn.Identity())
        torch.testing.assert_close(layer(x), plain(x))


def test_every_block_there_is_stands_here():
    assert {path.rpartition(".")[2] for path in (*BRANCHES, *REPLACED)} <= set(FORMULAS)
    in_bottlenecks = {
        "Bottleneck",
        "BottleneckCSP",
        "C2",
        "C2f",
        "C2fAttn",
        "C3",
        "C3k2",
        "C3x",
    }  # test_blocks has them
    assert {row[2] for row, _ in ROWS} | in_bottlenecks == set(BLOCKS)
    for path in BRANCHES:
        if path.startswith("ultralytics."):
            assert hasattr(blocks_of_ultralytics, path.rpartition(".")[2])


def test_a_model_of_these_blocks_trains_fuses_and_exports(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = """
        nc: 2
        backbone:
        - [-1, 1, Conv, [64, 3, 2]]
        - [-1, 1, Conv_CBAM, [64, 3, 2, {reduction: 4}]]
        - [-1, 1, HGBlock_SE, [32, 64, 3, true, true, {reduction: 4}]]
        - [-1, 1, C3Ghost_ECA, [64]]
        - [-1, 1, Conv, [64, 3, 2]]
        - [-1, 1, C2fCIB_CoordAtt, [64, true, true]]
        - [-1, 1, RepC3_CBAM, [64, {reduction: 4}]]
        - [-1, 1, ResNetLayer_ECA, [64, 16, 1, false, 2]]
        - [-1, 1, A2C2f_SE, [64, true, 1, {reduction: 4}]]
        - [-1, 1, ELAN1_ECA, [64, 64, 32]]
        - [-1, 1, C2PSA_ECA, [64]]
        - [-1, 1, C3TR_ECA, [64]]
        head:
        - [[-1], 1, Detect, [nc]]
    """
    (tmp_path / "my.yaml").write_text(rows.replace("\n    ", "\n"), encoding="utf-8")
    model = YOLO("my.yaml", task="detect")
    sensitive(model.model)
    out = model.model.train()(torch.rand(2, 3, 64, 64))
    sum(v.mean() for v in (out.values() if isinstance(out, dict) else out) if torch.is_tensor(v)).backward()
    assert all(p.grad is not None for m in operators(model.model).values() for p in m.parameters())
    model.save("my.pt")
    x = torch.rand(1, 3, 64, 64)
    loaded = YOLO("my.pt").model.float().eval()
    before = loaded(x)[0].detach()
    torch.testing.assert_close(loaded.fuse(verbose=False)(x)[0].detach(), before, rtol=1e-3, atol=1e-3)
    YOLO("my.pt").export(format="onnx", imgsz=64)  # compared with PyTorch by the exporter
