"""Places: every base model and place, the graph before and after, and what is said where there is no such place.

A sample of base × place runs by default, with the operators in turn. All of them, some ten minutes:

    pytest --all tests/surgery/test_places.py
"""

import copy

import pytest

from tests.support.bases import BASES, PLACES, base, build, graph, is_attention
from yolo_attn import insertion, registry
from yolo_attn.errors import AttentionError
from yolo_attn.surgery import places, recipe
from yolo_attn.surgery.rows import split_block
from yolo_attn.upstream import layout

PAIRS = [(base, place) for base in BASES for place in PLACES]
SAMPLE = PAIRS[:: 2 * len(PLACES) + 1]  # every second base once, the places in turn


def pytest_generate_tests(metafunc):
    """`pytest --all` takes every pair, other runs the sample."""
    if metafunc.function is test_every_base_and_place:
        pairs = PAIRS if metafunc.config.getoption("--all") else SAMPLE
        metafunc.parametrize(("stem", "at"), pairs, ids=[" ".join(pair) for pair in pairs])


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
        own = {name: p.shape for name, p in built[new].named_parameters()}
        inside = {name for name in own if ".attn." in f".{name}" and split_block(rows[new][2])}
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
    missing = {
        "neck": len(model["head"]) == 1, "neck-P4": len(model["head"]) == 1, "in:neck": len(model["head"]) == 1,
        "sppf": not {"SPP", "SPPF", "SPPELAN"} & set(names), "P6": 64 not in levels,
        "head-P3": "Classify" in names or "tiny" in model["yaml_file"], "head-P5": "SemanticSegment" in names,
        "P2": 4 not in levels,
    }  # fmt: skip
    missing["backbone,head-P5,in:neck-P3"] = missing["neck"] or missing["head-P3"] or missing["head-P5"]
    assert missing.get(at), error


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


@pytest.mark.parametrize(
    ("stem", "at", "options", "message"),
    [
        ("yolo26n", "nekc", {}, r"unknown place 'nekc', did you mean 'neck'\?; places are backbone \(P1, P2, P3"),
        ("yolo26n", "P6", {}, "this model has no 'P6'; places are backbone"),
        ("yolov8n-cls", "neck", {}, "this model has no 'neck'; places are"),
        ("yolo26n", "after:23", {}, "nothing can follow row 23; rows are 0 to 22"),
        ("yolov9e", "after:10", {}, "cannot follow row 10, CBLinear: its output is no single map"),
        ("yolo26n", "in:9", {}, "row 9 SPPF is no block that attention goes into; write in:2,in:4,in:6,in:8,in:10"),
        ("yolo26n", "in:99", {}, "row 99 is no block that attention goes into; write in:2,"),
        ("yolo26n", "in:head", {}, "'in:head' names no blocks"),
        ("yolo12n", "sppf", {}, "this model has no 'sppf'"),
        ("yolo26n", "P5", {"reductoin": 8}, "CBAM has no option 'reductoin'"),
    ],
)
def test_what_is_not_there_is_one_line(stem, at, options, message):
    with pytest.raises(AttentionError, match=message) as raised:
        recipe.insert(base(stem)[0], "CBAM", at, base(stem)[1], options)
    assert "\n" not in str(raised.value)


def test_every_stage_of_every_base_has_an_inside():
    """In 44, 42 and 54 of these 65 models there was one when bottlenecks alone had attention inside."""
    for stem in BASES:
        model, layers = base(stem)
        for part in ("backbone", "stages", "P3", *(["neck"] if len(model["head"]) > 1 else [])):
            steps = places.find_steps(model, f"in:{part}", layers)
            assert steps and all(step.how == "in" for step in steps), stem


def test_a_backbone_of_torchvisions_has_an_inside():
    model = {"nc": 2, "backbone": [[-1, 1, "TorchVision", [512, "resnet18", None, True, 2]]], "head": []}
    made = insertion.insert({**model, "head": [[-1, 1, "Classify", [2]]]}, "ECA", "in:backbone")
    assert made["backbone"] == [[-1, 1, "TorchVision_ECA", [512, "resnet18", None, True, 2]]]
    assert recipe.remove(made)["backbone"] == model["backbone"]


def test_a_model_that_ends_with_its_backbone_has_places_too():
    rows = [[-1, 1, "Conv", [16, 3, 2]], [-1, 1, "Conv", [16, 3, 2]], [-1, 1, "Conv", [16, 3, 2]]]
    model = insertion.insert({"nc": 1, "backbone": rows, "head": []}, "ECA", "P1,P2")
    assert [row[2] for row in model["backbone"]] == ["Conv", "ECA", "Conv", "ECA", "Conv"]
