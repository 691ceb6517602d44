"""Several operators in one name: numbers are the base's rows in every order, and order means nothing else."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ultralytics.nn import tasks

import yolo_attn
from tests.support import yamls
from tests.support.bases import base
from yolo_attn import cli, registry
from yolo_attn.errors import AttentionError
from yolo_attn.surgery import recipe
from yolo_attn.surgery.rows import split_block
from yolo_attn.upstream import compose

PLACES = [
    "backbone", "neck", "head", "stages", "sppf", "P3", "P5", "neck-P5", "head-P5", "head-P3", "in:neck", "in:backbone",
]  # fmt: skip
NUMBERS = ["after:0", "after:4", "after:9", "after:12", "after:15", "after:21", "in:2", "in:4", "in:8", "in:15"]


def wiring(model: dict) -> list[tuple]:
    """Returns for each row of the base its module, and which rows of the base it reads through which attention."""
    rows = recipe.all_rows(model)
    kept = [i for i, row in enumerate(rows) if registry.find(row[2]) is None]

    def behind(i: int) -> tuple[int, list[str]]:
        passed = []
        while i >= 0 and registry.find(rows[i][2]):
            passed.append(rows[i][2])
            i = recipe.sources(rows, i)[0]
        return (kept.index(i) if i >= 0 else i), sorted(passed)

    return [(rows[i][1:], [behind(source) for source in recipe.sources(rows, i)]) for i in kept]


groups = st.lists(
    st.tuples(st.sampled_from(registry.names()), st.lists(st.sampled_from(PLACES + NUMBERS), min_size=1, max_size=3)),
    min_size=2,
    max_size=3,
)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.sampled_from(["yolov8n", "yolo11n", "yolo26n", "yolov5n"]), groups)
def test_any_order_is_one_model(stem, attention):
    model, layers = base(stem)
    made = [put(model, order, layers) for order in itertools.permutations(attention)]
    assert all(one == made[0] for one in made)


def put(model, attention, layers):
    try:
        return wiring(recipe.insert_all(model, attention, layers))
    except AttentionError as error:
        assert "no block that attention goes into" in str(error) or "inside already" in str(error)
        return "refused"


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.sampled_from(["yolov8n", "yolo26n"]), groups, st.sampled_from([0, 3, 7, 9, 13, 20]))
def test_a_number_is_the_bases_row_whatever_stands_in_front(stem, attention, row):
    model, layers = base(stem)
    attention = [(operator, at) for operator, at in attention if operator != "GCT"]
    try:
        made = recipe.insert_all(model, [*attention, ("GCT", f"after:{row}")], layers)
    except AttentionError:
        return
    readers = [read for _, reads in wiring(made) for read in reads if read[0] == row]
    assert readers and all("GCT" in passed for _, passed in readers)
    others = [passed for _, reads in wiring(made) for source, passed in reads if source != row]
    assert not any("GCT" in passed for passed in others)


@pytest.mark.parametrize("name", ["yolov8n-se-P3-eca-after-9-in-6", "yolov8n-eca-after-9-in-6-se-P3"])
def test_a_name_counts_the_bases_rows_and_can_be_saved(name, tmp_path, monkeypatch, log):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(compose, "_told", set())
    composed = tasks.yaml_model_load(f"{name}.yaml")
    rows = recipe.all_rows(composed)
    assert [row[2] for row in rows[9:13]] == ["C2f", "SPPF", "ECA", "nn.Upsample"]  # SPPF is the base's row 9
    assert split_block(rows[7][2])[1].name == "ECA"  # which is the base's row 6
    command = next(line for line in log.text.splitlines() if "to save it" in line).partition("to save it: yolo-attn ")[
        2
    ]
    assert cli.main(command.split()) == 0
    assert recipe.all_rows(yamls.read(tmp_path / f"{name}.yaml")) == rows


def test_the_first_named_comes_first_where_two_stand_at_one_place():
    for order in (("SE", "ECA"), ("ECA", "SE")):
        model, layers = base("yolov8n")
        for at in ("P5", "head-P4", "sppf"):
            rows = recipe.all_rows(recipe.insert_all(model, [(operator, at) for operator in order], layers))
            put_in = [i for i, row in enumerate(rows) if registry.find(row[2])]
            assert [rows[i][2] for i in put_in] == list(order)
            assert recipe.sources(rows, put_in[1]) == [put_in[0]]


def test_in_one_block_there_is_room_for_one():
    model, layers = base("yolov8n")
    with pytest.raises(AttentionError, match="row 4, C2f_SE, has SE inside already"):
        recipe.insert_all(model, [("SE", "in:4"), ("ECA", "in:P3")], layers)


def test_insert_counts_the_rows_of_what_it_is_handed():
    """A model dict with attention has its own numbers, which its author sees in the file."""
    model = yolo_attn.insert("yolov8n.yaml", "SE", at="P3")
    rows = recipe.all_rows(yolo_attn.insert(model, "ECA", at="after:9"))
    assert [row[2] for row in rows[9:12]] == ["C2f", "ECA", "SPPF"]
