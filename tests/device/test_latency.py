"""`yolo-attn latency`: the times of a file's attention layers, by the names that ONNX Runtime's profiler has alone."""

import subprocess
import sys

import pytest
from ultralytics import YOLO

from tests.support import self_labelled, tiny
from yolo_attn import cli, export
from yolo_attn.device import latency
from yolo_attn.device.profile import Timed, attributed
from yolo_attn.evidence import cost

LAYERS = ["model.1", "model.2.m.0.attn", "model.4", "model.6"]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """The exported files of a small network with four layers of attention, and of the same without any."""
    folder = tmp_path_factory.mktemp("files")
    found = []
    for name, rows in (("attn", self_labelled.rows("detect")), ("base", tiny.detector(widths=(16, 32, 32)))):
        YOLO(tiny.written(rows, folder / f"{name}.yaml")).save(folder / f"{name}.pt")
        found.append(export.run(folder / f"{name}.pt", format="onnx", imgsz=160))
    return found


def test_the_csv_has_the_times_that_the_optimized_model_shows(files, tmp_path, capsys):
    file, base = files
    csv = tmp_path / "mine.csv"
    assert cli.main(["latency", f"model={file},{base}", "-o", str(csv)]) == 0
    assert all(layer in capsys.readouterr().out for layer in LAYERS[:1])
    read = latency.read(csv)
    own = read["attn.onnx"].own(read["base.onnx"].changes)
    want = cost.own_times(file, base, (1, 3, 160, 160), LAYERS)  # which reads tensors off the optimized model
    assert list(own) == LAYERS
    assert 0.4 < sum(own.values()) / sum(want[layer] for layer in LAYERS) < 2.5  # two measurements of microseconds
    assert all(0 < own[layer] < read["attn.onnx"].whole / 1e3 for layer in LAYERS)
    assert cli.main(["latency", f"model={file}", "-o", str(csv)]) == 1  # what is there stays there
    assert "is there already" in capsys.readouterr().err


def test_it_needs_neither_torch_nor_onnx(files):
    code = "import sys\nfor name in ('torch', 'ultralytics', 'onnx', 'cv2', 'yaml'):\n    sys.modules[name] = None\n"
    code += f"from yolo_attn import cli\nsys.exit(cli.main(['latency', {str(files[0])!r}]))\n"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0 and not done.stderr, done.stderr
    assert [line.split()[1] for line in done.stdout.splitlines()] == ["whole", *LAYERS]


def test_what_the_optimizer_made_belongs_to_what_it_was_made_for():
    kernels = [
        Timed("Conv", "/model.0/conv/Conv", 50), Timed("ReorderOutput", "ReorderOutput_token_1", 3),
        Timed("GlobalAveragePool", "val_0_nchwc", 2), Timed("Conv", "/model.1/gates.0/Conv", 5),
        Timed("Mul", "/model.1/Mul", 7), Timed("ReorderInput", "ReorderInput", 4), Timed("Conv", "/model.2/Conv", 40),
        Timed("ReorderInput", "ReorderInput_1", 9), Timed("Conv", "/model.3/Conv", 30),
    ]  # fmt: skip
    found = attributed(kernels, {"model.1": "SE(8)"})
    assert found.inside == {"model.1": 14} and found.layout == {"model.1": 7}
    assert (found.whole, found.changes) == (150, 16)
    assert found.own(9.0) == {"model.1": pytest.approx(0.021)}  # all that the base has not
    assert found.own(16.0) == {"model.1": pytest.approx(0.014)}


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("best.pt", "'best.pt' is no .onnx file: yolo export model=best.pt format=onnx makes one"),
        ("none.onnx", "there is no file 'none.onnx'"),
        ("bad.onnx", "ONNX Runtime cannot load 'bad.onnx'"),
        ("a/x.onnx,b/x.onnx", "there is no file"),
    ],
)
def test_what_cannot_be_measured_is_one_line(model, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.onnx").write_text("nothing of the kind")
    assert cli.main(["latency", f"model={model}", "-o", "x.csv"]) == 1
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1 and not (tmp_path / "x.csv").exists()


@pytest.mark.parametrize(
    "text", ["layer,ms\nmodel.1,2\n", "file,layer,operator,milliseconds,layout\na,model.1,SE,x,0\n"]
)
def test_another_csv_is_one_line(text, tmp_path):
    (tmp_path / "my.csv").write_text(text)
    with pytest.raises(ValueError, match="is no file of yolo-attn latency"):
        latency.read(tmp_path / "my.csv")
