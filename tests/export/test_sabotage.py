"""An export of a graph that was made wrong is refused, in each kind of file, and one that was not is accepted."""

from functools import partial
from pathlib import Path

import pytest
from ultralytics import YOLO

from tests.support.sabotage import number_of_pixels, overlap_of_nms, scale
from tests.support.sensitive import sensitive
from yolo_attn.errors import AttentionError
from yolo_attn.export import fused, half

NETWORK = """
nc: 20
backbone:
  - [-1, 1, Conv, [16, 3, 2]]
  - [-1, 1, Conv, [32, 3, 2]]
  - [-1, 1, CBAM, []]
  - [-1, 1, Conv, [48, 3, 2]]
  - [-1, 1, C3_SE, [64]]
  - [-1, 1, SRM, []]
head:
  - [-1, 1, Conv, [64, 3, 2]]
  - {head}
"""
HEADS = {
    "detect": "[[2, 5, 6], 1, Detect, [nc]]",
    "end2end": "[[2, 5, 6], 1, v10Detect, [nc]]",
    "map": "[[6, 5], 1, SemanticSegment, [nc]]",
}
BASE, ATTENTION = (
    "model.3.conv.weight",
    "model.2.gates",
)  # the names of weights, with others in front where NMS is behind
MAP = (64 // 8) ** 2  # pixels of the map that SRM sees


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory) -> dict[str, Path]:
    """A network in which every layer matters, with each kind of output."""
    folder = tmp_path_factory.mktemp("sabotage")
    files = {}
    for kind, head in HEADS.items():
        (folder / "small.yaml").write_text(NETWORK.format(head=head))
        yolo = YOLO(folder / "small.yaml", task="semantic" if kind == "map" else "detect")
        sensitive(yolo.model)
        files[kind] = folder / f"{kind}.pt"
        yolo.save(files[kind])
    return files


NMS, BEST, HALF = {"nms": True}, {"nms": False}, {"quantize": 16}
NOTHING = {**NMS, "conf": 0.99}  # is found
# What the file is, its arguments, the step after which it is made wrong, and how.
CASES = {
    "base": ("detect", {}, fused, "fuse", partial(scale, part=BASE, factor=1.001)),
    "attention": ("detect", {}, fused, "fuse", partial(scale, part=ATTENTION, factor=1.01)),
    "base, before NMS": ("detect", NOTHING, fused, "fuse", partial(scale, part=BASE, factor=1.001)),
    "attention, before NMS": (
        "detect",
        {**NMS, "conf": 0.99},
        fused,
        "fuse",
        partial(scale, part=ATTENTION, factor=-3),
    ),
    "NMS": ("detect", NMS, fused, "fuse", partial(overlap_of_nms, value=0.95)),
    "base, before the best scores": ("end2end", BEST, fused, "fuse", partial(scale, part=BASE, factor=1.001)),
    "base, before a class map": ("map", {}, fused, "fuse", partial(scale, part=BASE, factor=1.001)),
    "base, before FP16": ("detect", HALF, fused, "fuse", partial(scale, part=BASE, factor=1.001)),
    "base, in FP16": ("detect", HALF, half, "convert", partial(scale, part=BASE, factor=1.01)),
    "attention, in FP16": ("detect", HALF, half, "convert", partial(scale, part=ATTENTION, factor=1.01)),
    "NMS, in FP16": ("detect", {**HALF, **NMS}, half, "convert", partial(overlap_of_nms, value=0.95)),
    "another size": ("detect", {"dynamic": True}, fused, "fuse", partial(number_of_pixels, value=MAP)),
}


@pytest.mark.parametrize("case", CASES)
def test_a_wrong_file_is_refused(case, checkpoints, monkeypatch):
    kind, arguments, module, step, spoil = CASES[case]
    right = getattr(module, step)

    def wrong(*args, **kwargs):
        made = right(*args, **kwargs)
        spoil(made[0] if isinstance(made, tuple) else made)
        return made

    monkeypatch.setattr(module, step, wrong)
    file, before = checkpoints[kind].with_suffix(".onnx"), set(checkpoints[kind].parent.iterdir())
    with pytest.raises(AttentionError, match=r"the file was not kept") as refused:
        YOLO(checkpoints[kind]).export(format="onnx", imgsz=64, **arguments)
    assert "\n" not in str(refused.value)
    assert set(file.parent.iterdir()) == before
    assert ("noise of" in str(refused.value)) == (case == "another size")


def test_a_wrong_file_leaves_the_earlier_one(checkpoints, monkeypatch):
    monkeypatch.setattr(fused, "fuse", lambda model, **_: (scale(model, ATTENTION, 1.1), {}))
    earlier = checkpoints["detect"].with_suffix(".onnx")
    earlier.write_text("the user's earlier export")
    with pytest.raises(AttentionError, match="differs from the PyTorch model by"):
        YOLO(checkpoints["detect"]).export(format="onnx", imgsz=64)
    assert earlier.read_text() == "the user's earlier export"
    earlier.unlink()


RIGHT = {(kind, *map(str, arguments.items())): (kind, arguments) for kind, arguments, *_ in CASES.values()}
RIGHT["all"] = "detect", {**NMS, **HALF, "dynamic": True, "batch": 2, "conf": 0.01}
RIGHT["all of the best"] = "end2end", {**BEST, **HALF, "dynamic": True}


@pytest.mark.parametrize(
    ("kind", "arguments"),
    [
        pytest.param(*case, id=str(name), marks=() if str(name).startswith("all") else pytest.mark.thorough)
        for name, case in RIGHT.items()
    ],
)
def test_a_right_file_is_not(kind, arguments, checkpoints):
    file = Path(YOLO(checkpoints[kind]).export(format="onnx", imgsz=64, **arguments))
    assert file.is_file()
    file.unlink()


def test_batches_that_nms_does_not_look_at_are_named(checkpoints, log):
    file = Path(YOLO(checkpoints["detect"]).export(format="onnx", imgsz=64, nms=True, dynamic=True))
    assert "NMS in the graph looks at 1 images of a batch" in log.text
    file.unlink()
