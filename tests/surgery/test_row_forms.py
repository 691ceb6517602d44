"""Every row form of docs/rows.md is read as it says there, at every scale; and no reading depends on the scale."""

import pytest
import torch
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from ultralytics.nn import tasks

from docs import row_forms
from yolo_attn import registry
from yolo_attn.errors import AttentionError
from yolo_attn.nn import Attention
from yolo_attn.nn.base import operators
from yolo_attn.surgery.rows import Width, read_options
from yolo_attn.upstream.blocks import AttentionBottleneck, AttentionConv

WHERE = {AttentionBottleneck: "in its bottlenecks", AttentionConv: "behind it"}


def layer_of(row: str, scale: str) -> torch.nn.Module:
    """Returns what a row becomes behind one that gives 256 channels before width scaling."""
    rows = [[-1, 1, "Conv", [row_forms.WRITTEN, 3, 2]], yaml.safe_load(row)]
    model = {"nc": 2, "scale": scale, "scales": row_forms.SCALES, "backbone": rows, "head": []}
    with torch.device("meta"):
        layers = tasks.parse_model({**model, "yaml_file": "my.yaml"}, 3, verbose=False)[0]
    assert layers[0].conv.out_channels == row_forms.ARRIVING[scale]
    return layers[1]


def said(layer: torch.nn.Module) -> str:
    """Returns a layer as the table names it."""
    if isinstance(layer, Attention):
        return layer.extra_repr().partition(", ")[2]
    (operator,) = {type(m).__name__ for m in operators(layer).values()}
    block = layer.type.split(".")[-1].removesuffix(f"_{operator}")
    parts = [WHERE[type(m)] for m in layer.modules() if type(m) in WHERE]
    where = "before its sum" if block == "Bottleneck" else (parts or ["before its blocks' sums"])[0]
    return f"{block}, {operator} {where}"


def outcome(row: str, scale: str) -> str:
    try:
        return said(layer_of(row, scale))
    except AttentionError as error:
        assert "\n" not in str(error) and str(error).startswith("my.yaml, row 1 [")
        return f"refused: {error}"


@pytest.mark.parametrize("form", row_forms.FORMS, ids=lambda form: form.row)
def test_a_row_is_read_as_the_table_says_at_every_scale(form):
    means = {scale: text for scales, text in form.means.items() for scale in scales}
    for scale in row_forms.SCALES:
        found = outcome(form.row, scale)
        if form.refused:
            assert found.startswith("refused: ") and form.refused in found, scale
        else:
            assert found == means[scale], scale


def test_the_table_has_both_kinds_and_every_operator_that_reads_numbers():
    assert {bool(form.refused) for form in row_forms.FORMS} == {True, False}
    assert all(set("".join(form.means)) == set(row_forms.ALL) or form.refused for form in row_forms.FORMS)


def scaled_by(gain: float, most: int):
    return lambda number: max(-(-int(min(number, most) * gain) // 8) * 8, 8)


@st.composite
def files(draw):
    """The scales of a file, and what arrives at a row in each: a number before width scaling, or a fixed one."""
    written = draw(st.sampled_from([16, 32, 64, 128, 256, 512, 1024, 3, 40, 96]))
    gains = draw(st.lists(st.sampled_from([0.25, 0.5, 0.75, 1.0, 1.25]), min_size=1, max_size=5, unique=True))
    fixed = draw(st.booleans())
    found = []
    for gain in gains:
        scaled = scaled_by(gain, draw(st.sampled_from([512, 768, 1024])))
        found.append(Width(written if fixed else scaled(written), scaled, str(gain)))
    return found


NUMBERS = st.sampled_from([1, 2, 3, 4, 5, 7, 8, 16, 32, 40, 48, 64, 80, 96, 128, 160, 192, 256, 320, 512, 1024, True])


@given(file=files(), name=st.sampled_from(registry.names()), args=st.lists(NUMBERS, max_size=4))
@settings(max_examples=600, deadline=None)
def test_a_reading_does_not_depend_on_the_scale(file, name, args):
    info = registry.get(name)
    found = []
    for here in file:
        try:
            found.append(read_options(info, list(args), here, lambda: file))
        except AttentionError as error:
            found.append(str(error).partition(" where ")[0])  # how many channels arrive is another matter
    assert all(one == found[0] for one in found)
    # No number that is a channel count somewhere is a ratio, but where the operator's default says the same.
    if isinstance(found[0], dict) and len(args) == 1 and any(width.channels == args[0] for width in file):
        assert found[0] == info.options


def test_the_other_scales_are_asked_only_where_they_can_make_a_difference():
    asked = []

    def everywhere():
        asked.append(True)
        return []

    here = Width(64, scaled_by(0.25, 1024))
    for args, name in (([], "CBAM"), ([{"reduction": 8}], "CBAM"), ([256], "CBAM"), ([256, 7], "CBAM")):
        read_options(registry.get(name), args, here, everywhere)
    assert not asked
    read_options(registry.get("CBAM"), [32], here, everywhere)
    assert asked
