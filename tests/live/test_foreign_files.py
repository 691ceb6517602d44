"""Files that say something else of their model than Ultralytics' exporter: read where it is clear, or one line."""

import shutil

import cv2
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from tests.support.live_models import PICTURES
from yolo_attn.errors import AttentionError
from yolo_attn.live import given, metadata
from yolo_attn.live.heads import Thresholds
from yolo_attn.live.load import load
from yolo_attn.live.results import Frame

WRITTEN = {"task": "detect", "names": "{0: 'a', 1: 'b'}", "imgsz": "[64, 64]", "stride": "32"}


def file_of(folder, shape: tuple[int, ...], **said):
    """Writes a model of a 64×64 picture whose one output is of `shape` and 0 everywhere."""
    size = helper.make_tensor("size", TensorProto.INT64, [len(shape)], shape)
    zero = helper.make_tensor("zero", TensorProto.FLOAT, [1], [0.0])
    nodes = [
        helper.make_node("Constant", [], ["shape"], value=size),
        helper.make_node("ConstantOfShape", ["shape"], ["zeros"], value=zero),
        helper.make_node("ReduceMean", ["images"], ["mean"], keepdims=0),
        helper.make_node("Mul", ["zeros", "mean"], ["output0"]),
    ]
    entry = helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, 64, 64])
    output = helper.make_tensor_value_info("output0", TensorProto.FLOAT, shape)
    model = helper.make_model(
        helper.make_graph(nodes, "g", [entry], [output]), opset_imports=[helper.make_opsetid("", 13)]
    )
    model.ir_version = 8
    helper.set_model_props(model, {**WRITTEN, **said})
    onnx.save(model, folder / "model.onnx")
    return str(folder / "model.onnx")


def opened(file: str):
    return load(file, None, "cpu", 1, Thresholds())


@pytest.mark.parametrize("names", ["{0: 'a', 1: 'b'}", "['a', 'b']", "('a', 'b')", "{'0': 'a', '1': 'b'}"])
def test_names_in_every_form(names, tmp_path):
    assert opened(file_of(tmp_path, (1, 6, 84), names=names)).names == {0: "a", 1: "b"}


@pytest.mark.parametrize(
    "said",
    [
        {"names": "a, b"}, {"names": "{'a': 0}"}, {"names": "3"}, {"imgsz": "[64]"}, {"imgsz": "[64, 64, 3]"},
        {"imgsz": "large"}, {"imgsz": "[64, 'x']"}, {"stride": "wide"}, {"stride": "[8, 16]"}, {"stride": "-1"},
        {"kpt_shape": "17"}, {"names": "None"}, {"imgsz": "1e999"},
    ],
    ids=str,
)  # fmt: skip
def test_what_cannot_be_is_one_line(said, tmp_path):
    with pytest.raises(AttentionError) as error:
        opened(file_of(tmp_path, (1, 6, 84), **said))
    assert "model.onnx" in str(error.value) and "\n" not in str(error.value) and "yolo export" in str(error.value)


def bare(file: str) -> str:
    """Takes all metadata out of a file."""
    model = onnx.load(file)
    del model.metadata_props[:]
    onnx.save(model, file)
    return file


def test_a_finished_list_is_read_as_one_whatever_the_metadata_says(tmp_path):
    file = file_of(tmp_path, (1, 300, 6))
    assert opened(file).metadata.end2end and not opened(file_of(tmp_path, (1, 6, 84))).metadata.end2end


def test_a_file_without_metadata_takes_names_and_a_task(live_model, tmp_path):
    told = shutil.copy(live_model, tmp_path / "told.onnx")
    names = ",".join(opened(told).names.values())
    file = bare(shutil.copy(live_model, tmp_path / "bare.onnx"))
    with pytest.raises(AttentionError, match="does not say what its model is of: add names=cat,dog"):
        opened(file)
    frame = Frame(cv2.imread(str(PICTURES[0])), 0, "", 1, 0.0, 0.0)
    results = []
    for model in (opened(told), load(file, None, "cpu", 1, Thresholds(), given.read("", names))):
        work = model.prepare(frame)
        model.infer(work)
        results.append(model.decode(work))
    one, other = results
    assert len(one) > 0 and np.array_equal(one.xyxy, other.xyxy) and one.names == other.names
    with pytest.raises(AttentionError, match="are for 80 classes, and 2 have names"):
        load(file, None, "cpu", 1, Thresholds(), given.read("", "cat,dog"))
    with pytest.raises(AttentionError, match="is a detect model, as it says itself"):
        load(told, None, "cpu", 1, Thresholds(), given.read("pose", ""))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("n.txt", "cat\ndog\n"), ("n.names", "cat\n\ndog"), ("n.yaml", "names: [cat, dog]"),
        ("n.yml", "nc: 2\nnames: {0: cat, 1: dog}"),
    ],
)  # fmt: skip
def test_names_come_from_a_file(name, text, tmp_path):
    (tmp_path / name).write_text(text)
    assert given.read("", str(tmp_path / name)).names == given.read("", "cat, dog").names == ("cat", "dog")


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("n.txt", None, "cannot be read: No such file"), ("n.txt", b"\n", "has no names"),
        ("n.txt", b"\xff\xfe\x00", "it is no text"), ("n.yaml", b"nc: 2", "has no names"),
        ("n.yaml", b"names: {1: cat}", "has no names"), ("n.yaml", b"{", "is no YAML"),
    ],
)  # fmt: skip
def test_names_that_cannot_be_had_are_one_line(name, text, said, tmp_path):
    if text is not None:
        (tmp_path / name).write_bytes(text)
    with pytest.raises(AttentionError, match=said) as error:
        given.read("", str(tmp_path / name))
    assert "\n" not in str(error.value)


def test_arguments_that_are_no_mapping_are_passed_over(tmp_path):
    assert not metadata.read({**WRITTEN, "args": "dynamic"}, tmp_path).dynamic


@pytest.mark.parametrize(
    ("task", "shape", "line"),
    [
        ("detect", (1, 84, 7), "laid out as YOLOv5's own exporter does, rows of a box, an objectness and 2 scores"),
        ("detect", (84, 6), "are not those of a detect model"),
        ("detect", (1, 3, 4, 4, 7), "are not those of a detect model"),
        ("classify", (1, 2, 1, 1), "are not those of a classify model"),
        ("segment", (1, 38, 84), "are not those of a segment model"),
    ],
)
def test_outputs_of_another_layout_are_refused_and_never_misread(task, shape, line, tmp_path):
    with pytest.raises(AttentionError) as error:
        opened(file_of(tmp_path, shape, task=task))
    assert line in str(error.value) and "model.onnx" in str(error.value) and "\n" not in str(error.value)


def test_an_opencv_that_is_too_old_is_named_at_the_start(tmp_path, monkeypatch):
    monkeypatch.delattr(cv2.dnn, "NMSBoxesBatched")
    with pytest.raises(AttentionError, match=r"OpenCV .* is too old here: pip install 'opencv-python>=4.7'"):
        opened(file_of(tmp_path, (1, 6, 84)))
