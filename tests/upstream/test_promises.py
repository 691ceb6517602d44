"""What the log promises of a transfer holds: the network keeps its output where it says so, and only there."""

import copy
import re
from types import SimpleNamespace

import pytest
import torch
from ultralytics import YOLO
from ultralytics.nn import tasks

from tests.support.sensitive import sensitive
from tests.support.tiny import build, image, written
from yolo_attn.surgery import recipe
from yolo_attn.surgery.rows import write_start
from yolo_attn.upstream.provenance import misfit

PROMISE = "so that the pretrained network keeps its output"
SE = ["SE", [{"reduction": 4}]]


def base() -> dict:
    """Rows: 0 Conv, 1 C2f with a shortcut, 2 MaxPool, 3 Conv, 4 Upsample, 5 Concat, 6 Conv, 7 Detect."""
    return {
        "nc": 3, "depth_multiple": 1.0, "width_multiple": 1.0,
        "backbone": [
            [-1, 1, "Conv", [16, 3, 8]], [-1, 1, "C2f", [16, True]], [-1, 1, "nn.MaxPool2d", [3, 2, 1]],
            [-1, 1, "Conv", [16, 3]], [-1, 1, "nn.Upsample", [None, 2, "nearest"]], [[-1, 1], 1, "Concat", [1]],
            [-1, 1, "Conv", [16, 1]],
        ],
        "head": [[[1, 3, 6], 1, "Detect", ["nc"]]],
    }  # fmt: skip


def changed(i: int, row: list | None = None, **keys) -> dict:
    rows = {**base(), **keys}
    if row:
        part, k = ("backbone", i) if i < 7 else ("head", i - 7)
        rows[part] = [*rows[part][:k], row, *rows[part][k + 1 :]]
    return rows


def with_se(rows: dict, behind: int = 1, start: str | None = None) -> dict:
    rows = recipe.insert_after(rows, behind, "SE", {"reduction": 4})
    if start:
        write_start(rows["backbone"][behind + 1], start)
    return rows


def unshifted() -> dict:
    """Returns the base with a row more, put in by hand, and the numbers behind it left as they were."""
    rows = base()
    rows["backbone"].insert(2, [-1, 1, *copy.deepcopy(SE)])
    return rows


CASES = {
    "put in": (base(), with_se(base()), True),
    "at two places": (base(), with_se(with_se(base(), 5), 1), True),
    "inside a block": (base(), changed(1, [-1, 1, "C2f_SE", [16, True, {"reduction": 4}]]), True),
    "an operator that starts as the identity by itself": (base(), recipe.insert_after(base(), 1, "GCT"), True),
    "trained attention beside": (with_se(base(), 3), with_se(with_se(base(), 3), 1), True),
    "numbers left as they were": (base(), unshifted(), False),
    "read from another row": (base(), with_se(changed(5, [[-1, 0], 1, "Concat", [1]])), False),
    "other classes": (base(), with_se(changed(0, nc=5)), False),
    "another class of row": (base(), with_se(changed(1, [-1, 1, "C3", [16, True]])), False),
    "no shortcut": (base(), with_se(changed(1, [-1, 1, "C2f", [16]])), False),
    "another stride": (base(), with_se(changed(3, [-1, 1, "Conv", [16, 3, 1, None, 1, 1, "nn.ReLU()"]])), False),
    "another pooling": (base(), with_se(changed(2, [-1, 1, "nn.AvgPool2d", [3, 2, 1]])), False),
    "another way to enlarge": (base(), with_se(changed(4, [-1, 1, "nn.Upsample", [None, 2, "bilinear"]])), False),
    "attention in place of a row": (base(), changed(3, [-1, 1, *SE]), False),
    "as in its paper beside": (base(), with_se(with_se(base(), 3, "paper"), 1), False),
    "trained attention left out": (with_se(base(), 3), with_se(base()), False),
    "trained attention of other options": (
        recipe.insert_after(base(), 3, "SE", {"reduction": 8}), with_se(with_se(base(), 3), 1), False),
}  # fmt: skip


@pytest.mark.parametrize("case", list(CASES))
def test_the_output_is_promised_where_it_is_kept_and_nowhere_else(case, log):
    theirs, mine, kept = CASES[case]
    source, model = sensitive(build(theirs)), build(mine)
    model.load(source)
    outputs = [net(image())[0] for net in (model.eval(), source)]
    same = outputs[0].shape == outputs[1].shape and torch.allclose(*outputs, rtol=1e-4, atol=1e-4)
    assert same == kept
    assert (PROMISE in log.text) == kept
    assert (
        "attention starts as the identity in row" in log.text
    )  # each has new attention that is made so, and says no more
    assert kept or "so that it changes nothing yet" in log.text


def test_rows_that_are_fed_by_others_are_named(log):
    model = build(CASES["read from another row"][1])
    model.load(sensitive(build(base())))
    assert "does not keep its output: other rows than in the source lead to row 6" in log.text


def test_attention_that_was_trained_before_is_no_identity(log):
    for name in ("GCT", "NonLocal"):
        model = sensitive(build(recipe.insert_after(base(), 1, name)), seed=1)
        model.load(sensitive(build(base())))
    assert PROMISE not in log.text


@pytest.mark.parametrize("source", ["yolo26s", "yolov8n"])
def test_a_source_of_another_scale_or_family_is_named_before_anything_is_promised(source, tmp_path, log, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = recipe.insert_after(tasks.yaml_model_load("yolo26.yaml"), 4, "CBAM")
    written(rows, tmp_path / "yolo26-my.yaml")
    YOLO(f"{source}.yaml").save(tmp_path / "source.pt")
    log.clear()
    YOLO("yolo26-my.yaml").load("source.pt")
    mend = {
        "yolo26s": "the source is yolo26s, and yolo26-my.yaml was built as yolo26n; load it into yolo26s-my.yaml",
        "yolov8n": "the source is yolov8n, and yolo26-my.yaml was built as yolo26n\n",
    }
    assert mend[source] in log.text and PROMISE not in log.text
    followed, all_of_them = map(int, re.search(r"Transferred (\d+)/(\d+) base tensors", log.text).groups())
    assert followed < all_of_them / 2
    if source == "yolo26s":  # the name that was advised
        log.clear()
        YOLO("yolo26s-my.yaml").load("source.pt")
        assert "Transferred 708/708 base tensors" in log.text and PROMISE in log.text and "was built as" not in log.text


@pytest.mark.parametrize(
    ("name", "source", "mend"),
    [
        ("yolov8n-cbam.yaml", "yolo11n", "yolov8n-cbam.yaml was built as yolov8n; load it into yolo11n-cbam.yaml"),
        ("yolov8n-cbam.yaml", "yolov8s", "yolov8n-cbam.yaml was built as yolov8n; load it into yolov8s-cbam.yaml"),
        ("mine.yaml", "yolov8s", "mine.yaml was built as of scale n; save the file as yolov8s-mine.yaml"),
        ("yolov8n-mine.yaml", "yolov8s", "yolov8n-mine.yaml was built as yolov8n; save the file as yolov8s-mine.yaml"),
        ("yolov8n-cbam.yaml", "yolov8n-seg", ""),
    ],
)
def test_the_file_that_fits_is_named(name, source, mend, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if "mine" in name:
        written(recipe.insert_after(tasks.yaml_model_load("yolov8n.yaml"), 4, "CBAM"), tmp_path / name)
    said = misfit(*(SimpleNamespace(yaml=tasks.yaml_model_load(file)) for file in (name, f"{source}.yaml")))
    assert said == (mend and f"the source is {source}, and {mend}")


def test_a_source_that_tells_no_file_is_known_by_its_width_and_its_checkpoint(tmp_path):
    old = {"nc": 80, "depth_multiple": 0.33, "width_multiple": 0.5, "backbone": [], "head": []}
    model = SimpleNamespace(yaml=tasks.yaml_model_load("yolov8n-cbam.yaml"))
    for file, said in (("yolov8s.pt", "yolov8s"), ("runs/best.pt", "of width 0.5"), (None, "of width 0.5")):
        text = misfit(model, SimpleNamespace(yaml=old, pt_path=file))
        mend = "; load it into yolov8s-cbam.yaml" if said == "yolov8s" else ""
        assert text == f"the source is {said}, and yolov8n-cbam.yaml was built as yolov8n{mend}"
    assert misfit(model, SimpleNamespace(yaml={**old, "width_multiple": 0.25}, pt_path="best.pt")) == ""
    assert misfit(model, SimpleNamespace()) == ""
