"""The main job with the stock `yolo` command: train, resume, validate, predict, export, predict with the export."""

import json
import os
import subprocess
from pathlib import Path

import onnx
import pytest
import torch

from tests.conftest import YOLO
from yolo_attn.upstream import lookup

# 32 images of 64 pixels: enough for every step of every command to be taken.
FAST = ("imgsz=64", "fraction=0.05", "batch=8", "workers=0", "plots=False", "exist_ok=True")
# Each operator in the backbone and before the head, over the three base models.
MODELS = ["yolov5n-gam", "yolov5n-cbam", "yolo11n-eca", "yolo26n-coordatt"]
MODELS += ["yolov5n-gam-head", "yolo26n-cbam-head", "yolov5n-eca-head", "yolo11n-coordatt-head"]
SAMPLE = ["yolo26n-cbam-head"]


def pytest_generate_tests(metafunc):
    if "model" in metafunc.fixturenames:
        metafunc.parametrize("model", MODELS if metafunc.config.getoption("--all") else SAMPLE)


def train_and_kill(model: str, folder: Path, project: str) -> Path:
    """Starts a training of three epochs, kills it in the second, and returns its last checkpoint."""
    command = [YOLO, "train", f"model={model}.yaml", "data=shapes.yaml", "epochs=3", *FAST, f"project={project}"]
    with subprocess.Popen(
        [*command, "name=train"], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if " 2/3 " in line.replace("\x1b[K", " "):  # so the first epoch's checkpoint is complete
                process.kill()
    last = folder / project / "train" / "weights" / "last.pt"
    assert process.returncode == -9 and last.is_file()
    return last


@pytest.fixture(scope="session")
def runs(tmp_path_factory):
    """A folder that is nobody's checkout."""
    return tmp_path_factory.mktemp("runs")


def test_train_resume_val_predict_export(model, yolo, runs, datasets):
    project = str(runs / model)
    last = train_and_kill(model, runs, project)
    resumed = yolo("train", "resume", f"model={last}", "plots=False", cwd=runs)
    assert "Resuming training" in resumed and " 2/3 " in resumed.replace("\x1b[K", " ") and "(fused)" in resumed
    best = last.with_name("best.pt")

    validated = yolo("val", f"model={best}", "data=shapes.yaml", "imgsz=64", "plots=False", cwd=runs)
    assert "(fused)" in validated and "mAP50-95" in validated
    image = datasets / "shapes" / "images" / "val" / "0001.jpg"
    yolo("predict", f"model={best}", f"source={image}", "imgsz=64", f"project={project}", "name=pt", cwd=runs)

    dynamic = "-head" in model
    exported = yolo("export", f"model={best}", "format=onnx", "imgsz=64", f"dynamic={dynamic}", cwd=runs)
    assert "ONNX agrees with PyTorch ✅" in exported
    file = best.with_suffix(".onnx")
    graph = onnx.load(file)
    operator = {"gam": "GAM", "cbam": "CBAM", "eca": "ECA", "coordatt": "CoordAtt"}[model.split("-")[1]]
    attention = next(p.value for p in graph.metadata_props if p.key == "attention").split("; ")
    assert len(attention) == 3 and all(f" {operator}(" in layer for layer in attention)
    prefixes = tuple("/" + layer.split(" ")[0] + "/" for layer in attention)
    ops = [node.op_type for node in graph.graph.node if node.name.startswith(prefixes)]
    assert ops and not {"BatchNormalization", "Transpose", "Expand"} & set(ops)
    pools = [node for node in graph.graph.node if node.op_type == "MaxPool" and node.name.startswith(prefixes)]
    assert all(onnx.helper.get_node_attr_value(pool, "kernel_shape")[1:] == [1, 1] for pool in pools)
    assert {node.domain for node in graph.graph.node} == {""}

    yolo("predict", f"model={file}", f"source={image}", "imgsz=64", f"project={project}", "name=onnx", cwd=runs)
    assert (runs / model / "pt" / image.name).is_file() and (runs / model / "onnx" / image.name).is_file()
    onnx_val = yolo("val", f"model={file}", "data=shapes.yaml", "imgsz=64", "plots=False", cwd=runs)
    assert "mAP50-95" in onnx_val


@pytest.fixture(scope="session")
def trained(yolo, runs, datasets) -> Path:
    """A checkpoint of one short training of yolov5n-cbam."""
    yolo("train", "model=models/yolov5n-cbam.yaml", "data=shapes.yaml", "epochs=1", *FAST, f"project={runs}",
         "name=trained", cwd=runs)  # fmt: skip
    return runs / "trained" / "weights" / "best.pt"


def test_a_checkpoint_loads_elsewhere_and_under_safe_load(trained, yolo, tmp_path):
    copied = tmp_path / "copied.pt"
    copied.write_bytes(trained.read_bytes())
    out = yolo("train", "model=copied.pt", "data=shapes.yaml", "epochs=1", *FAST, "project=again", cwd=tmp_path,
               ULTRALYTICS_SAFE_LOAD="1")  # fmt: skip
    assert "Transferred" in out and "mAP50-95" in out  # it is validated at the end, loaded again


def test_export_in_half_precision(trained, yolo, tmp_path):
    (tmp_path / "half.pt").write_bytes(trained.read_bytes())
    out = yolo("export", "model=half.pt", "format=onnx", "imgsz=64", "quantize=16", cwd=tmp_path)
    assert "tolerance 1e-02" in out
    assert any(t.data_type == onnx.TensorProto.FLOAT16 for t in onnx.load(tmp_path / "half.onnx").graph.initializer)


def test_an_int8_export_keeps_the_fp32_file(trained, yolo, tmp_path):
    (tmp_path / "q.pt").write_bytes(trained.read_bytes())
    (tmp_path / "q.onnx").write_text("the user's earlier export")
    out = yolo("export", "model=q.pt", "format=onnx", "imgsz=64", "quantize=8", "data=shapes.yaml", cwd=tmp_path)
    assert "not compared with PyTorch" in out
    assert (tmp_path / "q_int8.onnx").is_file()
    assert (tmp_path / "q.onnx").read_text() == "the user's earlier export"


def test_stock_training_is_bit_identical(yolo, runs, datasets):
    """Nobody who does not use attention notices the add-on."""
    data = lookup.FOLDERS["data"] / "shapes.yaml"
    results = {}
    for state in ("0", "1"):
        yolo("train", "model=yolov5n.yaml", f"data={data}", "epochs=1", *FAST, f"project={runs}", f"name=stock{state}",
             cwd=runs, YOLO_ATTN=state)  # fmt: skip
        table = (runs / f"stock{state}" / "results.csv").read_text().splitlines()
        losses = [line.split(",")[:1] + line.split(",")[2:] for line in table]  # without the time
        weights = torch.load(runs / f"stock{state}" / "weights" / "last.pt", weights_only=False)["model"].state_dict()
        results[state] = losses, weights
    assert results["0"][0] == results["1"][0] and len(results["0"][0]) == 2
    assert all(torch.equal(value, results["1"][1][key]) for key, value in results["0"][1].items())


def test_segment_and_classify_train_on_the_built_in_sets(yolo, runs, tmp_path):
    rows = (lookup.FOLDERS["models"] / "yolo11-eca.yaml").read_text().replace("Detect, [nc]", "Segment, [nc, 32, 256]")
    (tmp_path / "yolo11n-eca-seg.yaml").write_text(rows)
    out = yolo("train", "model=yolo11n-eca-seg.yaml", "data=shapes-seg.yaml", "epochs=1", *FAST, f"project={runs}",
               "name=segment", cwd=tmp_path)  # fmt: skip
    assert "yolo_attn.nn.eca.ECA" in out and "Mask(P" in out
    (tmp_path / "yolov8n-cls-eca.yaml").write_text(
        "nc: 4\nbackbone:\n  - [-1, 1, Conv, [16, 3, 2]]\n  - [-1, 1, Conv, [32, 3, 2]]\n  - [-1, 1, ECA, []]\n"
        "head:\n  - [-1, 1, Classify, [nc]]\n"
    )
    out = yolo("train", "model=yolov8n-cls-eca.yaml", "data=shapes-cls", "epochs=1", *FAST, f"project={runs}",
               "name=classify", cwd=tmp_path)  # fmt: skip
    assert "yolo_attn.nn.eca.ECA" in out and "top1_acc" in out


def test_a_damaged_set_is_made_again(trained, yolo, datasets, runs):
    image = datasets / "shapes" / "images" / "val" / "0002.jpg"
    image.unlink()
    yolo("val", f"model={trained}", "data=shapes.yaml", "imgsz=64", "plots=False", cwd=runs)
    assert image.is_file()


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("[-1, 1, CBMA, []]", "mine.yaml, row 1 [-1, 1, CBMA, []]: unknown module 'CBMA', did you mean 'CBAM'?"),
        (
            "[-1, 1, GAM, [{ratio: 8}]]",
            "GAM has no option 'ratio'; its options are reduction, groups, channel_sigmoid, rank, depthwise",
        ),
        ("[9, 1, GAM, []]", "input 9 is no earlier row; write -1 or a number from 0 to 0"),
    ],
)
def test_bad_rows_give_one_line_and_no_traceback(row, message, yolo, tmp_path):
    (tmp_path / "mine.yaml").write_text(
        f"nc: 2\nbackbone:\n  - [-1, 1, Conv, [64, 3, 2]]\n  - {row}\nhead:\n  - [[-1], 1, Detect, [nc]]\n"
    )
    out = yolo("train", "model=mine.yaml", "data=shapes.yaml", "epochs=1", cwd=tmp_path, fails=True)
    assert message in out and "Traceback" not in out
    assert out.strip().splitlines()[-1].startswith("ERROR ❌️ mine.yaml, row 1")


def test_an_unwritable_folder_gives_one_line(yolo, tmp_path):
    from ultralytics.utils import SETTINGS_FILE

    blocked = tmp_path / "a-file"
    blocked.touch()  # a folder below a file cannot be made, not even by root
    config = tmp_path / "config"
    settings = config / "Ultralytics" / "settings.json"
    settings.parent.mkdir(parents=True)
    values = json.loads(Path(SETTINGS_FILE).read_text())
    settings.write_text(json.dumps({**values, "datasets_dir": str(blocked / "datasets")}))
    out = yolo("train", "model=yolov5n-eca.yaml", "data=shapes.yaml", "epochs=1", *FAST, cwd=tmp_path, fails=True,
               YOLO_CONFIG_DIR=str(config))  # fmt: skip
    assert "Traceback" not in out
    last = out.strip().splitlines()[-1]
    assert last.startswith("ERROR ❌️") and str(blocked) in last


def test_training_in_two_processes(datasets, runs, tmp_path):
    """Multi-GPU training unpickles the trainer and the model in new processes: the patch must be live there too."""
    script = tmp_path / "child.py"
    script.write_text(
        "import sys, torch\n"
        "from ultralytics.utils.patches import torch_load\n"
        "model = torch_load(sys.argv[1], map_location='cpu')['model']\n"
        "from ultralytics.nn.tasks import DetectionModel\n"
        "again = DetectionModel(model.yaml, verbose=False)\n"
        "print(type(model.model[5]).__name__, type(again.model[5]).__name__)\n"
    )
    from ultralytics import YOLO as Model

    torch.save({"model": Model("yolov5n-gam.yaml").model}, tmp_path / "state.pt")
    env = {key: value for key, value in os.environ.items() if key != "YOLO_ATTN"}
    python = Path(YOLO).with_name("python")
    out = subprocess.run([python, script, tmp_path / "state.pt"], env=env, capture_output=True, text=True, check=True)
    assert out.stdout.split()[-2:] == ["GAM", "GAM"]
