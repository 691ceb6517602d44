"""Placement: every base model and place, the graph before and after, blocks with attention inside, names without files.

A sample of base × place runs by default, with the operators in turn. All of them, some ten minutes:

    pytest --all tests/surgery/test_placement.py
"""

import copy
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
import torch
import ultralytics
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from ultralytics import YOLO
from ultralytics.nn import tasks
from ultralytics.utils import YAML

import yolo_attn
from yolo_attn import cli, registry
from yolo_attn.errors import AttentionError
from yolo_attn.nn import CBAM, ECA, Attention, Deployed
from yolo_attn.surgery import names, places, recipe, yaml_text
from yolo_attn.surgery.rows import BLOCKS, split_block
from yolo_attn.upstream import checkpoints, compose, layout
from yolo_attn.upstream.blocks import AttentionBottleneck
from yolo_attn.view import drawing, table

# yolo11-cls-resnet18 is left out: Ultralytics downloads torchvision's weights to build it, here or anywhere.
BASES = sorted(
    file.stem
    for file in (Path(ultralytics.__file__).parent / "cfg" / "models").rglob("*.yaml")
    if file.stem != "yolo11-cls-resnet18"
)
PLACES = [
    "backbone", "neck", "head", "stages", "sppf", "P3", "P4", "P5", "P2", "P6", "neck-P4", "head-P3", "head-P5",
    "after:3", "in:backbone", "in:neck", "in:P3", "backbone,head-P5,in:neck-P3",
]  # fmt: skip
PAIRS = [(base, place) for base in BASES for place in PLACES]
SAMPLE = PAIRS[:: len(PLACES) + 1]  # each base once, the places in turn


def pytest_generate_tests(metafunc):
    """`pytest --all` takes every pair, other runs the sample."""
    if metafunc.function is test_every_base_and_place:
        pairs = PAIRS if metafunc.config.getoption("--all") else SAMPLE
        metafunc.parametrize(("stem", "at"), pairs, ids=[" ".join(pair) for pair in pairs])


@cache
def base(stem: str) -> tuple[dict, list[places.Layer]]:
    """Returns a base's model dict and what becomes of its rows."""
    model = tasks.yaml_model_load(f"{stem}.yaml")
    return model, layout.layers(model)


def is_attention(row: list) -> bool:
    return registry.find(row[2]) is not None


def graph(model: dict) -> list[tuple]:
    """Returns for each row that is no attention its module and what it reads, through attention, numbered without it.

    It is written without the functions under test.
    """
    rows = [*model["backbone"], *model["head"]]

    def resolve(i: int, f: int) -> int:
        i = f if f >= 0 else i + f
        while i >= 0 and is_attention(rows[i]):
            f = rows[i][0]
            i = f if f >= 0 else i + f
        return i

    kept = [i for i, row in enumerate(rows) if not is_attention(row)]
    number = {-1: -1, **{old: new for new, old in enumerate(kept)}}
    found = []
    for i in kept:
        f, n, name, args = rows[i]
        split = split_block(name)
        args = [a for a in args if not isinstance(a, dict)]
        read = [number[resolve(i, one)] for one in (f if isinstance(f, list) else [f])]
        found.append((split[0] if split else name, n, args, read))
    return found


def test_every_base_and_place(stem, at):
    model, layers = base(stem)
    before = copy.deepcopy(model)
    operator = registry.names()[PAIRS.index((stem, at)) % len(registry.names())]
    try:
        with_attention = recipe.insert(model, operator, at, layers)
    except AttentionError as error:
        # The place is not there: the line says so, and it is indeed not there.
        assert "\n" not in str(error)
        assert_place_is_missing(at, model, layers, str(error))
        return
    assert model == before
    assert recipe.remove(with_attention) == model
    assert graph(with_attention) == graph(model)
    built, save = build(with_attention)
    stock, stock_save = build(model)
    rows = recipe.all_rows(with_attention)
    kept = [i for i, row in enumerate(rows) if not is_attention(row)]
    put = [m for m in built.modules() if isinstance(m, registry.get(operator).cls)]
    assert put and len(rows) - len(kept) <= len(put)
    for old, new in enumerate(kept):
        inside = {name for name, _ in built[new].named_parameters() if ".attn." in name and split_block(rows[new][2])}
        own = {name: p.shape for name, p in built[new].named_parameters()}
        stock_own = {name: p.shape for name, p in stock[old].named_parameters()}
        assert {name: own[name] for name in own if name in stock_own} == stock_own
        assert own.keys() - stock_own.keys() <= inside
        assert built[new].np == sum(p.numel() for p in built[new].parameters())
    after = layout.layers(with_attention)
    assert [after[i].stride for i in kept[:-1]] == [layer.stride for layer in layers]
    # What upstream keeps for later rows are the same maps: the row itself, or its attention in its place.
    sources = {i: recipe.sources(rows, i)[0] for i in range(len(rows)) if is_attention(rows[i])}
    through = set()
    for i in save:
        while i in sources:
            i = sources[i]
        through.add(kept.index(i))
    heads = set(recipe.sources(recipe.all_rows(model), len(layers)))
    assert set(stock_save) <= through <= set(stock_save) | heads


def assert_place_is_missing(at: str, model: dict, layers: list, error: str) -> None:
    names = [row[2] for row in recipe.all_rows(model)]
    levels = {layer.stride for layer in layers}
    if at.startswith("in:") or ",in:" in at:
        assert "has no bottlenecks" in error or "this model has no" in error, error
        return
    missing = {
        "neck": len(model["head"]) == 1, "neck-P4": len(model["head"]) == 1,
        "sppf": not {"SPP", "SPPF", "SPPELAN"} & set(names), "P6": 64 not in levels,
        "head-P3": "Classify" in names or "tiny" in model["yaml_file"], "head-P5": "SemanticSegment" in names,
        "P2": 4 not in levels,
        "after:3": layers[3].stride is None, "backbone,head-P5,in:neck-P3": True,
    }  # fmt: skip
    assert missing[at], error


def build(model: dict) -> tuple[torch.nn.Sequential, list[int]]:
    model = copy.deepcopy(model)
    model["scale"] = model.get("scale") or next(iter(model.get("scales") or {}), "")
    with torch.device("meta"):
        return tasks.parse_model(model, model.get("channels", 3), verbose=False)


@pytest.mark.parametrize(
    ("stem", "at", "rows"),
    [
        ("yolov5n", "backbone", [4, 6, 8]),
        ("yolov5n", "stages", [2, 4, 6, 8]),
        ("yolov5n", "neck", [13, 17, 20, 23]),
        ("yolov5n", "sppf", [9]),
        ("yolov5n", "neck-P4", [13, 20]),
        ("yolov6n", "neck", [14, 19, 23, 27]),
        ("yolov3", "neck", [15, 22, 27]),
        ("rtdetr-l", "backbone", [3, 7, 9]),
        ("rtdetr-l", "neck", [16, 21, 24, 27]),
        ("yolov9e", "backbone", [22, 25, 28]),
        ("yolo26-p6", "backbone", [4, 6, 8, 10]),
        ("yolo11n-cls", "backbone", [4, 6, 8]),
        ("yolo11n-cls", "P5", [8]),
        ("yolo26-sem", "neck", [13, 16]),
        ("yolov8s-world", "neck", [12, 15, 19, 22]),
        ("yolov8n-ghost", "BackBone-p4", [6]),
    ],
)
def test_places_are_the_fields(stem, at, rows):
    assert [step.row for step in places.find_steps(base(stem)[0], at, base(stem)[1])] == rows


def test_head_attention_is_read_by_the_head_alone():
    model = yolo_attn.insert("yolo26n.yaml", "eca", at="head")
    rows = recipe.all_rows(model)
    assert [row[:3] for row in rows[23:26]] == [[16, 1, "ECA"], [19, 1, "ECA"], [22, 1, "ECA"]]
    assert rows[26][0] == [23, 24, 25]
    assert not {23, 24, 25} & {s for i in range(26) for s in recipe.sources(rows, i)}


def test_several_operators_one_after_the_other():
    model = yolo_attn.insert("yolo11n.yaml", "eca", at=["P5", "head-P3"])
    model = yolo_attn.insert(model, "cbam", at="backbone-P5,in:neck", reduction=8)
    rows = recipe.all_rows(model)
    assert [row[2] for row in rows[8:11]] == ["C3k2", "ECA", "CBAM"]
    assert sum("C3k2_CBAM" in row for row in rows) == 4
    assert rows[10][3] == [{"reduction": 8}]
    assert yolo_attn.remove(model) == tasks.yaml_model_load("yolo11n.yaml")


@pytest.mark.parametrize(
    ("stem", "at", "options", "message"),
    [
        ("yolo26n", "nekc", {}, r"unknown place 'nekc', did you mean 'neck'\?; places are backbone \(P1, P2, P3"),
        ("yolo26n", "P6", {}, "this model has no 'P6'; places are backbone"),
        ("yolov8n-cls", "neck", {}, "this model has no 'neck'; places are"),
        ("yolo26n", "after:23", {}, "nothing can follow row 23; rows are 0 to 22"),
        ("yolov9e", "after:10", {}, "cannot follow row 10, CBLinear: its output is no single map"),
        ("yolov6n", "in:backbone", {}, "row 4 Conv, 6 Conv, 8 Conv has no bottlenecks.*no block made of bottlenecks"),
        ("yolo12n", "in:backbone", {}, "row 6 A2C2f, 8 A2C2f has no bottlenecks .*; write in:4$"),
        ("yolo26n", "in:99", {}, "row 99 has no bottlenecks"),
        ("yolo26n", "in:head", {}, "'in:head' names no blocks"),
        ("yolo12n", "sppf", {}, "this model has no 'sppf'"),
        ("yolo26n", "P5", {"reductoin": 8}, "CBAM has no option 'reductoin'"),
    ],
)
def test_what_is_not_there_is_one_line(stem, at, options, message):
    with pytest.raises(AttentionError, match=message) as raised:
        recipe.insert(base(stem)[0], "CBAM", at, base(stem)[1], options)
    assert "\n" not in str(raised.value)


# Any graph ------------------------------------------------------------------------------------------------------------


@st.composite
def graphs(draw_):
    """A model dict of any shape: rows that read one or several rows, by number or counted back."""
    count = draw_(st.integers(3, 12))
    rows = []
    for i in range(count):
        sources = draw_(st.lists(st.integers(0, i - 1), min_size=1, max_size=3)) if i else [-1]
        f = [s - i if s == -1 or draw_(st.booleans()) else s for s in sources]
        several = i > 0 and (len(f) > 1 or draw_(st.booleans()))
        name = "Concat" if several else draw_(st.sampled_from(["Conv", "C3", "C2f"]))
        rows.append([f if several else f[0], 1, name, [i]])  # the row's number marks it
    border = draw_(st.integers(1, count - 1))
    return {"nc": 3, "scales": {"n": [0.33, 0.25, 1024]}, "backbone": rows[:border], "head": rows[border:]}


@given(model=graphs(), data=st.data())
@settings(max_examples=150, deadline=None)
def test_any_insertions_keep_every_edge_and_are_undone(model, data):
    changed = model
    for _ in range(data.draw(st.integers(1, 5))):
        rows = recipe.all_rows(changed)
        plain = [i for i, row in enumerate(rows) if row[2] in BLOCKS]
        how = data.draw(st.sampled_from(["after", "head", "in"] if plain else ["after", "head"]))
        options = data.draw(st.sampled_from([None, {"reduction": 8}]))
        if how == "after":
            row = data.draw(st.integers(0, len(rows) - 2))
            readers = [i for i in range(len(rows)) if row in recipe.sources(rows, i)]
            changed = recipe.insert_after(changed, row, "SE", options)
            after = recipe.all_rows(changed)
            # Whatever read the row reads the attention now, and the attention alone reads the row.
            assert [i for i in range(len(after)) if row in recipe.sources(after, i)] == [row + 1]
            now = [i for i in range(len(after)) if row + 1 in recipe.sources(after, i)]
            assert now == [i + 1 for i in readers]
        elif how == "head":
            changed = recipe.insert_before_head(changed, "CBAM", options)
        else:
            changed = recipe.put_inside(changed, data.draw(st.sampled_from(plain)), "ECA", options)
        assert graph(changed) == graph(model)
    assert recipe.remove(changed) == model
    text = yaml_text.render(changed, [places.Layer(8)] * len(recipe.all_rows(changed)), "A heading\n\n of lines")
    assert yaml.safe_load(text) == changed


def test_attention_on_the_image_is_removed_too():
    model = {"backbone": [[-1, 1, "ECA", []], [-1, 1, "Conv", [8]], [-1, 1, "ECA", []]], "head": [[2, 1, "Conv", [8]]]}
    assert recipe.remove(model) == {"backbone": [[-1, 1, "Conv", [8]]], "head": [[0, 1, "Conv", [8]]]}
    model["head"] = [[0, 1, "Conv", [8]]]
    with pytest.raises(AttentionError, match="cannot read the network's input in place of row 0, ECA"):
        recipe.remove(model)


# Attention inside blocks ----------------------------------------------------------------------------------------------


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
        ([-1, 1, "A2C2f_CBAM", [128, True, 1]], "row 1 .*A2C2f with these arguments holds no bottleneck"),
        ([-1, 1, "SPPF_CBAM", [128, 5]], "unknown module 'SPPF_CBAM'"),
    ],
)
def test_blocks_that_cannot_be_built_are_refused_with_file_row_and_mend(row, message):
    with pytest.raises(AttentionError, match=message) as raised:
        layer_of(row)
    assert "\n" not in str(raised.value)


def test_a_foreign_block_of_the_same_name_is_not_shadowed(monkeypatch):
    monkeypatch.setattr(tasks, "C3_CBAM", torch.nn.Identity, raising=False)
    with pytest.raises(AttentionError, match="ultralytics has its own 'C3_CBAM'.*write yolo_attn.C3_CBAM"):
        layer_of([-1, 1, "C3_CBAM", [128]])


def test_the_printed_table_shows_it(caplog):
    from ultralytics.utils import LOGGER

    LOGGER.addHandler(caplog.handler)
    tasks.parse_model(tasks.yaml_model_load("yolov5n-se-in-backbone.yaml"), 3, verbose=True)
    LOGGER.removeHandler(caplog.handler)
    printed = {line.split()[0]: line.split() for line in caplog.text.splitlines() if "nn.modules" in line}
    lines = {text[-6:] for text in caplog.text.split() if text.endswith("C3_SE")}
    assert lines == {".C3_SE"} and len(LOGGER.filters) == 0, printed


def test_a_model_with_blocks_trains_saves_fuses_and_exports(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = YOLO("yolo11n-cbam-in-P4-eca-in-P5.yaml")
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


# Names without files --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stem", "name"),
    [
        ("yolo11n-cbam", ("yolo11n", [("CBAM", ["backbone"])])),
        ("yolo26s-eca-head", ("yolo26s", [("ECA", ["head"])])),
        ("yolov8m-seg-gam-P5", ("yolov8m-seg", [("GAM", ["P5"])])),
        ("yolo11n-cbam-in-backbone", ("yolo11n", [("CBAM", ["in:backbone"])])),
        ("yolo11n-cbam-in-neck-P3", ("yolo11n", [("CBAM", ["in:neck-P3"])])),
        ("yolo11n-cbam-neck-P3-P4", ("yolo11n", [("CBAM", ["neck-P3", "neck-P4"])])),
        ("yolo11n-ca-P3-head", ("yolo11n", [("CoordAtt", ["P3", "head"])])),
        ("yolov5n-se-after-9-eca-in-4-6", ("yolov5n", [("SE", ["after:9"]), ("ECA", ["in:4", "in:6"])])),
        ("yolov5n-se-after-9-P5-in-P3-P4-head", ("yolov5n", [("SE", ["after:9", "P5", "in:P3", "in:P4", "head"])])),
        ("rtdetr-l-eca-neck", ("rtdetr-l", [("ECA", ["neck"])])),
        ("yolov8n-ghost-p2-se-sppf", ("yolov8n-ghost-p2", [("SE", ["sppf"])])),
        ("yolo26n", None),
        ("nobody-cbam", None),
        ("yolo26n-foo", None),
    ],
)
def test_names_are_read(stem, name):
    assert names.read(stem, compose.is_base) == name
    if name and "in-P3-P4" not in stem:
        written = "-".join([name[0], *(names.write("", *group)[1:] for group in name[1])])
        assert names.read(written, compose.is_base) == name


@pytest.mark.parametrize("operator", registry.names())
def test_every_operator_is_composed_by_name(operator):
    model = tasks.yaml_model_load(f"yolo26n-{operator.lower()}-P5-head-in-neck.yaml")
    assert model["scale"] == "n" and model["yaml_file"].startswith("yolo26n-")
    assert sum(isinstance(m, registry.get(operator).cls) for m in build(model)[0].modules()) > 4


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("yolo11n-cbma.yaml", "'yolo11n-cbma' names no model: 'cbma' is no attention, did you mean 'CBAM'"),
        ("yolo11n-cbam-nekc.yaml", "'nekc' is no place and no attention, did you mean 'neck'"),
        ("yolo11n-cbam-in.yaml", "'in' needs a place or a row behind it"),
        ("yolov8n-cls-eca-neck.yaml", "this model has no 'neck'"),
    ],
)
def test_names_nearly_right_get_one_line(name, message):
    with pytest.raises(AttentionError, match=message) as raised:
        tasks.yaml_model_load(name)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("name", ["yolo11n-foo.yaml", "nobody-cbam.yaml", "some/where/yolo11n-cbam-P5.yaml"])
def test_other_names_keep_upstreams_error(name):
    with pytest.raises(FileNotFoundError):
        tasks.yaml_model_load(name)


def test_a_file_of_that_name_wins(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    YAML.save(tmp_path / "yolo11-cbam-P5.yaml", {"nc": 7, "backbone": [[-1, 1, "Conv", [8]]], "head": []})
    assert tasks.yaml_model_load("yolo11n-cbam-P5.yaml")["nc"] == 7
    assert tasks.yaml_model_load("yolo11n-cbam-P4.yaml")["nc"] == 80


def test_what_was_composed_is_said_once_with_the_command_that_saves_it(tmp_path, monkeypatch, caplog, capsys):
    from ultralytics.utils import LOGGER

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(compose, "_told", set())
    LOGGER.addHandler(caplog.handler)
    for _ in range(2):
        composed = tasks.yaml_model_load("yolo26s-cbam-P5-eca-head.yaml")
    LOGGER.removeHandler(caplog.handler)
    said = [line for line in caplog.text.splitlines() if "composed" in line]
    assert len(said) == 1 and "yolo26s.yaml with CBAM at P5 and ECA at head" in said[0]
    command = said[0].partition("to save it: yolo-attn ")[2].split()
    assert cli.main(command) == 0
    saved = YAML.load(tmp_path / "yolo26s-cbam-P5-eca-head.yaml")
    # The file is that model: it is found before it would be composed.
    loaded = tasks.yaml_model_load("yolo26s-cbam-P5-eca-head.yaml")
    assert loaded == composed
    assert recipe.all_rows(saved) == recipe.all_rows(composed)


# The command ----------------------------------------------------------------------------------------------------------


def test_add_show_and_remove(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["add", "yolo26s.yaml", "cbam", "at=P5,head", "reduction=8", "-o", "my.yaml"]) == 0
    assert cli.main(["show", "my.yaml"]) == 0
    shown = capsys.readouterr().out
    assert "my.yaml, scale s, 640×640" in shown  # the scale of the base is the file's first, its default
    assert sum(line.startswith(table.MARK) for line in shown.splitlines()) == 4
    assert "attention adds" in shown and "base: 24 rows" in shown
    assert cli.main(["remove", "my.yaml"]) == 0
    text = capsys.readouterr().out
    assert recipe.all_rows(yaml.safe_load(text)) == recipe.all_rows(base("yolo26s")[0])


def test_the_totals_are_the_models():
    found = table.lines(layout.load("yolov5n-gam.yaml"))
    model = YOLO("yolov5n-gam.yaml").model
    assert sum(line.layer.parameters for line in found) == sum(p.numel() for p in model.parameters())
    assert sum(line.layer.flops for line in found) / 1e9 == pytest.approx(model.info(imgsz=640)[3], rel=0.03)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["add", "yolo26n.yaml"], "'yolo-attn add' also needs attention=..."),
        (["add", "yolo26n.yaml", "cbma"], "unknown attention 'cbma', did you mean 'CBAM'?"),
        (["add", "yolo26n.yaml", "cbam", "-o", "my.txt"], "'my.txt' is no name for a model: write -o my.yaml"),
        (["add", "yolo26n.yaml", "cbam", "reduction=x"], "must be a whole number"),
        (["show", "nope.yaml"], "'nope.yaml' does not exist"),
        (["show", "yolo26n.yaml", "-o", "my.jpg"], "write -o my.svg, my.png or my.pdf"),
        (["show", "yolo26n.yaml", "imgsz=big"], "imgsz must be a whole number from 32 to 8192, got 'big'"),
    ],
)
def test_what_is_typed_wrong_is_one_line(arguments, message, capsys):
    assert cli.main(arguments) == 1
    error = capsys.readouterr().err.strip()
    assert message in error and error.startswith("ERROR") and "\n" not in error


@pytest.mark.parametrize("stem", ["yolov5n-cbam", "yolo26n-eca-head-cbam-in-backbone", "yolov9e", "yolov8n-cls-se"])
def test_the_drawing_shows_every_row_apart_from_the_others(stem):
    model = layout.load(f"{stem}.yaml")
    rows = recipe.all_rows(model)
    figure = drawing.figure(model)
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert all(str(i) in texts for i in range(len(rows)))
    lines = table.lines(model)
    columns, upward = drawing._columns(model, levels := drawing._levels(model, lines))
    boxes, _ = drawing._boxes(levels, columns, upward)
    assert len({(box.column, round(box.y, 3)) for box in boxes}) == len(rows)


def test_the_drawing_is_written(tmp_path, capsys):
    assert cli.main(["show", "yolov8n-cls-se.yaml", "imgsz=224", "-o", str(tmp_path / "my.svg")]) == 0
    assert "<svg" in (tmp_path / "my.svg").read_text(encoding="utf-8")


def test_shipped_files_are_what_their_names_compose():
    from yolo_attn.upstream.lookup import FOLDERS

    for file in FOLDERS["models"].glob("yolo26-*.yaml"):
        name = names.read(file.stem, compose.is_base)
        assert recipe.all_rows(compose.compose(name)) == recipe.all_rows(YAML.load(file))
