"""`yolo-attn ablate`, from the command to what lies in its folder."""

import csv

import cv2
import pytest
from ultralytics import YOLO
from ultralytics.utils import LOGGER

from tests.support import tiny
from tests.support.self_labelled import SIZE
from yolo_attn import cli
from yolo_attn.evidence.chart import GAP, apart


@pytest.fixture(scope="module")
def done(labelled, tmp_path_factory):
    """The folder in which the command ran, and what it said."""
    file, data = labelled("detect")
    folder, log = tmp_path_factory.mktemp("ablate"), []
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(LOGGER, "info", log.append)
        words = f"data={data} imgsz={SIZE} batch=4 name=one drop=2,4 -o pruned.pt".split()
        assert cli.main(["ablate", str(file), *words]) == 0
    return folder, "\n".join(map(str, log))


def test_every_layer_has_its_line(done):
    folder, said = done
    with (folder / "runs" / "ablate" / "one" / "ablate.csv").open() as stream:
        rows = [row for row in csv.DictReader(stream) if row["class"] == "all"]
    names = ["model.1", "model.2.m.0.attn", "model.4", "model.6", "all of them", "those of drop="]
    assert [row["layer"] for row in rows] == names
    by_name = {row["layer"]: row for row in rows}
    assert float(by_name["all of them"]["lost"]) > 0
    assert [by_name["model.4"][key] for key in ("lost", "low", "high", "share")] == ["0.0", "0.0", "0.0", "0.0"]
    assert by_name["model.4"]["dead"] == "channel_attention 1.00"
    assert all(float(row["milliseconds"]) > 0 for row in rows)
    assert by_name["those of drop="]["lost"] == by_name["model.2.m.0.attn"]["lost"]  # model.4 is worth nothing
    text = (folder / "runs" / "ablate" / "one" / "ablate.md").read_text()
    assert all(name in text and name in said for name in names) and "mAP50-95 of the whole network" in said


def test_the_chart_is_a_picture(done):
    assert cv2.imread(str(done[0] / "runs" / "ablate" / "one" / "ablate.png")).std() > 5


def test_no_label_of_the_chart_lies_over_another():
    for heights in ([0.5, 0.5, 0.5], [0.98, 0.99, 1.0], [0.0, 0.01, 0.7], [0.1]):
        found = apart(heights)
        assert all(b - a >= GAP - 1e-9 for a, b in zip(found, found[1:], strict=False)) and found[0] >= 0
        assert found[-1] <= 1


def test_nothing_else_is_left(done):
    folder = done[0]
    assert sorted(path.name for path in folder.iterdir()) == ["pruned.pt", "pruned.yaml", "runs"]
    assert [path.name for path in (folder / "runs").iterdir()] == ["ablate"]
    assert [path.name for path in (folder / "runs" / "ablate").iterdir()] == ["one"]


def test_a_model_without_attention_is_one_line(tmp_path, capsys):
    file = tmp_path / "plain.pt"
    model = YOLO(tiny.written(tiny.detector(), tmp_path / "plain.yaml"))
    model.save(file)
    assert cli.main(["ablate", str(file), "data=shapes.yaml"]) == 1
    assert capsys.readouterr().err.strip() == (
        f"ERROR ❌️ {file} has no attention; train a model with some, such as yolo11n-cbam.yaml"
    )
