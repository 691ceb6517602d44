"""What an attention model does in whichever release of Ultralytics is installed: the ordinary run has the newest."""

import inspect
import shutil
from pathlib import Path

import onnx
import pytest
import torch
import ultralytics
from ultralytics import YOLO
from ultralytics.engine.exporter import Exporter
from ultralytics.engine.trainer import BaseTrainer
from ultralytics.nn import tasks
from ultralytics.utils import DEFAULT_CFG_DICT, ROOT

from tests.support.sensitive import sensitive
from yolo_attn import upstream
from yolo_attn.nn import Attention, EncNet
from yolo_attn.upstream import releases

FAMILIES = ("yolov5n", "yolov8n", "yolov10n", "yolo11n", "yolo26n")
TRAIN = {"data": "shapes.yaml", "epochs": 1, "imgsz": 64, "fraction": 0.05, "batch": 8, "workers": 0, "plots": False}
TRAIN |= {"device": "cpu", "seed": 0}
WITH_NMS = {"nms": True, "opset": 17}  # up to 8.3.200 opset 9 is taken with torch 2.14, which has no NMS
HAS_NMS = releases.found(releases.NMS) is not None
HALF_ON_CPU = "FP16 conversion" in inspect.getsource(inspect.unwrap(Exporter)) or "quantize" in DEFAULT_CFG_DICT


@pytest.fixture(params=FAMILIES)
def base(request) -> str:
    """The name of a base that this release ships."""
    files = {file.stem for file in (ROOT / "cfg" / "models").rglob("*.yaml")}
    if not files & {request.param, request.param.removesuffix("n")}:
        pytest.skip(f"ultralytics {ultralytics.__version__} has no {request.param}")
    return request.param


def network(name: str) -> torch.nn.Module:
    """Returns the network of a name with sensitive weights, the same ones for the same layers."""
    torch.manual_seed(0)
    return sensitive(YOLO(f"{name}.yaml").model).eval()


def output(model: torch.nn.Module) -> torch.Tensor:
    with torch.no_grad():
        said = model(torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0)))
    return said[0] if isinstance(said, tuple) else said


@pytest.fixture(scope="session")
def trained(tmp_path_factory, datasets) -> Path:
    """A checkpoint of a short training of yolov5n with attention in rows and in blocks, from no weights."""
    yolo = YOLO("yolov5n-cbam-P5-eca-head-in-neck.yaml")
    yolo.train(**TRAIN, project=str(tmp_path_factory.mktemp("trained")), name="t")
    return Path(yolo.trainer.best)


@pytest.fixture
def checkpoint(trained, tmp_path) -> Path:
    """A copy of it, as exports are written beside."""
    return Path(shutil.copy(trained, tmp_path))


def test_every_seam_is_in():
    assert upstream.complete()


def test_rows_and_blocks_are_built(base):
    model = network(f"{base}-gam-P5-cbam-head-eca-in-backbone")
    names = [type(m).__name__ for m in model.modules() if isinstance(m, Attention)]
    assert names.count("GAM") == 1 and names.count("CBAM") >= 2 and names.count("ECA") >= 2
    assert output(model).isfinite().all()


def test_weights_follow_and_the_output_stays(base, log):
    source, model = network(base), YOLO(f"{base}-gam-P5-cbam-head-eca-in-backbone.yaml").model
    model.load(source)
    total = len(source.state_dict())
    assert f"Transferred {total}/{total} base tensors" in log.text
    assert torch.equal(output(model.eval()), output(source))


def test_fusing_changes_nothing(base):
    model = network(f"{base}-bam-P5-coordatt-head")
    before = output(model)
    after = output(model.fuse(verbose=False))
    assert torch.allclose(after, before, rtol=1e-3, atol=1e-3)


def test_freeze_counts_the_rows_of_the_base(tmp_path, datasets):
    frozen = []

    def look(trainer):
        frozen.extend(k for k, p in trainer.model.named_parameters() if not p.requires_grad and ".dfl" not in k)

    yolo = YOLO("yolov5n-eca-P3.yaml")
    yolo.add_callback("on_train_start", look)
    yolo.train(**TRAIN, freeze=6, project=str(tmp_path), name="t")
    rows = {int(name.split(".")[1]) for name in frozen}
    assert rows == {0, 1, 2, 3, 4, 6}  # row 5 is the attention


def test_encnets_loss_counts(tmp_path, datasets, log):
    seen = []

    def look(trainer):
        encoders = [m for m in trainer.model.modules() if isinstance(m, EncNet)]
        seen.append([(m.presence.said, m.presence.weight.detach().clone()) for m in encoders])

    yolo = YOLO("yolov5n-encnet-head.yaml")
    yolo.add_callback("on_train_batch_end", look)
    yolo.train(**TRAIN, nbs=8, warmup_epochs=0, project=str(tmp_path), name="t")
    assert len(seen) > 1 and all(said is None for step in seen for said, _ in step)  # the loss of each step took it
    assert all(not torch.equal(first, last) for (_, first), (_, last) in zip(seen[0], seen[-1], strict=True))
    assert "does not count" not in log.text
    if isinstance(yolo.trainer.loss_items, dict):
        assert yolo.trainer.loss_items["se_loss"] > 0
    else:
        assert "no column for a further loss" in log.text


@pytest.mark.parametrize("way", ["plain", "dynamic", "nms", "half"])
def test_exports_agree_with_pytorch(way, checkpoint, log):
    if way == "nms" and not HAS_NMS:
        pytest.skip(f"ultralytics {ultralytics.__version__} writes ONNX files without NMS")
    if way == "half" and not HALF_ON_CPU:
        pytest.skip(f"ultralytics {ultralytics.__version__} writes FP16 on a GPU only")
    half = {"quantize": 16} if "quantize" in DEFAULT_CFG_DICT else {"half": True}
    arguments = {"plain": {}, "dynamic": {"dynamic": True}, "nms": WITH_NMS, "half": half}[way]
    file = YOLO(checkpoint).export(format="onnx", imgsz=64, device="cpu", **arguments)
    assert "ONNX agrees with PyTorch ✅" in log.text
    graph = onnx.load(file)
    attention = next(p.value for p in graph.metadata_props if p.key == "attention")
    assert "CBAM(" in attention and "ECA(" in attention
    halves = [t for t in graph.graph.initializer if t.data_type == onnx.TensorProto.FLOAT16]
    assert bool(halves) == (way == "half")
    assert YOLO(file).predict(torch.rand(1, 3, 64, 64), imgsz=64, verbose=False)


def test_what_a_release_lacks_is_said(checkpoint, log):
    if HAS_NMS:
        pytest.skip(f"ultralytics {ultralytics.__version__} has NMS in ONNX files")
    YOLO(checkpoint).export(format="onnx", imgsz=64, device="cpu", nms=True)
    assert "this ultralytics writes ONNX files without NMS" in log.text


def test_a_stranger_passes_through_every_seam():
    """Whatever stands where a model is expected, it meets Ultralytics' own code."""

    class Stranger:
        """Has nothing."""

    trainer = Stranger()
    trainer.model = Stranger()
    for function in (BaseTrainer.setup_model, BaseTrainer._setup_train, Exporter.export_onnx, tasks.BaseModel.loss):
        original = inspect.unwrap(function)
        wanted = list(inspect.signature(original).parameters.values())[1:]
        arguments = [{} for one in wanted if one.default is one.empty]
        with pytest.raises(Exception) as ours:  # noqa: B017
            function(trainer, *arguments)
        with pytest.raises(Exception) as theirs:  # noqa: B017
            original(trainer, *arguments)
        assert (type(ours.value), str(ours.value)) == (type(theirs.value), str(theirs.value))
