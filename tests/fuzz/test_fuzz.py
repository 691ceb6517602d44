"""Whatever stands in a file, a name or a key: it is read, or refused in one line.

Each test takes one thing that hypothesis makes, and nothing of pytest's, so that atheris can drive it as well.
"""

import copy
import string
import tempfile
from pathlib import Path

import onnx
import torch
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from tests.upstream.test_broken_files import MODEL, READ, assert_one_line
from tests.upstream.test_golden import GOLDEN
from yolo_attn.cli.keys import read_options
from yolo_attn.errors import AttentionError
from yolo_attn.live import engine, metadata
from yolo_attn.live.heads import Thresholds
from yolo_attn.live.load import load
from yolo_attn.live.options import LiveOptions
from yolo_attn.surgery import names, places, words
from yolo_attn.surgery.options import AddOptions
from yolo_attn.upstream import compose, layout

FOLDER = tempfile.TemporaryDirectory(prefix="fuzz-")
some = settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
few = settings(some, max_examples=30)  # of what takes longer

WORDS = ["GAM", "C3_CBAM", "Conv", "nn.Upsample", "Detect", "nc", "Concat", "reduction", "start", "instead"]
ATOMS = st.one_of(
    st.none(), st.booleans(), st.integers(-300, 300), st.integers(), st.floats(),
    st.text(string.printable, max_size=8), st.sampled_from(WORDS),
)  # fmt: skip
VALUES = st.recursive(ATOMS, lambda of: st.lists(of, max_size=3) | st.dictionaries(ATOMS, of, max_size=2), max_leaves=6)
SPOKEN = st.sampled_from(
    ["yolov8n", "yolo11s", "cbam", "eca", "gam.r8", "se.identity", "coord", "att", "neck", "P3", "head", "in", "after"]
    + ["9", "instead", "c2psa", "sppf", "cls", "seg", "x", "", "cbma", "k5", "backbone:P4", "in:neck", "0.5", "-1", "ß"]
)


@st.composite
def mutants(draw) -> dict:
    """A model dict of which one to three places are something else."""
    model = copy.deepcopy(MODEL)
    for _ in range(draw(st.integers(1, 3))):
        part = model
        while keys := list(part) if isinstance(part, dict) else list(range(len(part))):
            key = draw(st.sampled_from(keys))
            if isinstance(part[key], dict | list) and draw(st.booleans()):
                part = part[key]
                continue
            if draw(st.integers(0, 4)):
                part[key] = draw(VALUES)
            else:
                del part[key]
            break
    return model


@st.composite
def damaged(draw, whole: bytes) -> bytes:
    """A file of which some bytes are others, and perhaps the end is missing."""
    raw = bytearray(whole)
    for _ in range(draw(st.integers(0, 8))):
        raw[draw(st.integers(0, len(raw) - 1))] = draw(st.integers(0, 255))
    return bytes(raw[: draw(st.integers(0, len(raw)))] if draw(st.booleans()) else raw)


def written(name: str, content: bytes | str) -> str:
    file = Path(FOLDER.name) / name
    file.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass"))
    return str(file)


def small_onnx() -> bytes:
    """An ONNX file of one node, as the exporter writes one."""
    shape = [1, 6, 84]
    entry = helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, 64, 64])
    output = helper.make_tensor_value_info("output0", TensorProto.FLOAT, shape)
    zeros = helper.make_tensor("zeros", TensorProto.FLOAT, shape, [0.0] * (6 * 84))
    nodes = [
        helper.make_node("ReduceMean", ["images"], ["mean"], keepdims=0),
        helper.make_node("Mul", ["zeros", "mean"], ["output0"]),
    ]
    graph = helper.make_graph(nodes, "g", [entry], [output], [zeros])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    said = {"task": "detect", "names": "{0: 'a', 1: 'b'}", "imgsz": "[64, 64]", "stride": "32"}
    helper.set_model_props(model, said)
    return model.SerializeToString()


ONNX = small_onnx()
LAYERS = layout.layers(YOLOV8 := layout.load("yolov8n.yaml"))


@some
@given(mutants(), st.sampled_from([*READ]))
def test_a_models_file(model, way):
    try:
        READ[way](written("my-mutant.yaml", yaml.safe_dump(model, allow_unicode=True)))
    except AttentionError as error:
        assert_one_line(error, "" if way == "add" else "my-mutant.yaml")  # the place may be what is wrong
    except NotImplementedError as error:
        assert "mode for 'None' task" in str(error)  # what Ultralytics says where the last row is no head


@some
@given(st.lists(SPOKEN | st.text(max_size=6), min_size=1, max_size=7), st.sampled_from("-_."))
def test_a_models_name(spoken, separator):
    stem = separator.join(spoken)
    try:
        found = compose.read(f"{stem}.yaml")
        assert found is None or isinstance(found, names.Name)
        if found:
            compose.compose(found)
    except AttentionError as error:
        assert_one_line(error, "")


@some
@given(st.lists(SPOKEN | st.text(max_size=6), min_size=1, max_size=4), st.sampled_from([":", "-", ",", ""]))
def test_a_place(spoken, separator):
    try:
        places.find_steps(YOLOV8, separator.join(spoken), LAYERS)
    except AttentionError as error:
        assert_one_line(error, "")


@some
@given(st.lists(SPOKEN | st.text(max_size=6), min_size=1, max_size=4))
def test_an_operators_word(spoken):
    try:
        words.read(".".join(spoken))
    except AttentionError as error:
        assert_one_line(error, "")


KEYS = st.sampled_from(
    ["model", "attention", "at", "o", "exist_ok", "source", "conf", "device", "reduction", "port", "x"]
)


@some
@given(st.lists(st.tuples(KEYS, st.sampled_from(["=", ""]), SPOKEN | st.text(max_size=6)), max_size=5))
def test_a_commands_keys(said):
    for command, options in (("add", AddOptions), ("live", LiveOptions)):
        try:
            read_options(command, options, ["".join(word) for word in said])
        except AttentionError as error:
            assert_one_line(error, "")


@few
@given(damaged((GOLDEN / "operators.pt").read_bytes()), st.booleans())
def test_a_checkpoint(raw, live):
    file = written("damaged.pt", raw)
    try:
        load(file, 64, "cpu", 1, Thresholds()) if live else layout.load(file)
    except AttentionError as error:
        assert_one_line(error, "damaged.pt")


@few
@given(damaged(ONNX))
def test_an_onnx_file(raw):
    try:
        load(written("damaged.onnx", raw), None, "cpu", 1, Thresholds())
    except AttentionError as error:
        assert_one_line(error, "damaged.onnx")


SAID = st.dictionaries(
    st.sampled_from(["task", "names", "imgsz", "stride", "kpt_shape", "args", "channels", "batch", "end2end", "head"]),
    VALUES | VALUES.map(repr) | st.sampled_from(["detect", "pose", "{0: 'a'}", "[64, 64]", "32", "{'dynamic': True}"]),
)


@some
@given(SAID)
def test_a_live_models_metadata(said):
    try:
        metadata.read({"task": "detect", "names": "{0: 'a'}", "imgsz": "64", "stride": "32"} | said, Path("my.onnx"))
    except AttentionError as error:
        assert_one_line(error, "my.onnx")


@some
@given(st.binary(max_size=64) | st.text(max_size=40).map(lambda text: len(text).to_bytes(4, "little") + text.encode()))
def test_an_engines_header(raw):
    header, rest = engine.split(raw)
    assert isinstance(header, dict) and raw.endswith(rest)


def test_the_files_that_are_damaged_are_whole_ones():
    assert torch.load(GOLDEN / "operators.pt", weights_only=False)["model"] is not None
    onnx.checker.check_model(onnx.load_model_from_string(ONNX))
    assert load(written("whole.onnx", ONNX), None, "cpu", 1, Thresholds()).names == {0: "a", 1: "b"}
