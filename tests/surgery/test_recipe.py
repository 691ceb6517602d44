"""Recipes on model dicts of any shape: every edge is kept, every insertion can be undone, the dict is left alone."""

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.bases import graph
from yolo_attn.errors import AttentionError
from yolo_attn.surgery import places, recipe, yaml_text
from yolo_attn.surgery.rows import BLOCKS


def test_a_model_dict_is_left_alone_and_every_reader_follows():
    model = {
        "backbone": [[-1, 1, "Conv", [8, 3, 2]], [-1, 1, "Conv", [8, 3, 2]], [-1, 1, "Conv", [8, 3, 2]]],
        "head": [[-2, 1, "Conv", [8]], [[-1, 1, -4], 1, "Concat", [1]], [[2, 4], 1, "Detect", ["nc"]]],
    }
    before = repr(model)
    inserted = recipe.insert_after(model, 1, "ECA")
    assert repr(model) == before
    assert [row[0] for row in inserted["backbone"]] == [-1, -1, -1, -1]
    # Row 3 read row 1, so row 4 reads its attention, row 2; row 4 read rows 3, 1 and 0; row 5 read rows 2 and 4.
    assert [row[0] for row in inserted["head"]] == [-2, [-1, 2, -5], [3, 5]]
    ahead = recipe.insert_before_head(model, "ECA")
    assert [row[0] for row in ahead["head"]] == [-2, [-1, 1, -4], 2, 4, [5, 6]]


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


def test_removing_thousands_of_rows_takes_one_pass():
    rows = [[-1, 1, "CBAM", []] for _ in range(5000)]
    model = {"nc": 1, "backbone": [[-1, 1, "Conv", [8, 3, 2]], *rows], "head": [[[5000, -2], 1, "Detect", ["nc"]]]}
    assert recipe.remove(model) == {
        **model,
        "backbone": model["backbone"][:1],
        "head": [[[0, -1], 1, "Detect", ["nc"]]],
    }
