"""`freeze` means the base's layers, in every form that Ultralytics reads, and says what it does not find."""

import pytest
from ultralytics import YOLO

from tests.support.tiny import TINY, build, detector, written
from yolo_attn.upstream import training

# rows: 0 Conv, 1 SE, 2 Conv, 3 CBAM, 4 Conv, 5 Detect
ROWS = detector((0, ["SE", [{"reduction": 4}]]), (1, ["CBAM", [{"reduction": 4}]]))


@pytest.mark.parametrize(
    ("asked", "paths", "missing"),
    [
        (2, ["0", "2"], ""),
        (9, ["0", "2", "4", "5"], ""),
        ([0, 2], ["0", "4"], ""),
        (["1.conv"], ["2.conv"], ""),
        (["3.cv2"], ["5.cv2"], ""),
        (["3.cv2.0", 1, "2"], ["5.cv2.0", "2", "4"], ""),
        (["1"], ["2"], ""),
        (["model.1"], [], "model.1"),  # Ultralytics looks for model.model.1., too, which no model has
        (["1.cv9", 0, 7, -1], ["0"], "1.cv9, 7, -1"),
        (["conv", "01", "1."], [], "conv, 01, 1."),
        (["1.conv.weight"], [], "1.conv.weight"),
    ],
)
def test_numbers_and_paths_count_the_base(asked, paths, missing, log):
    assert training.translated(asked, build(ROWS).model) == paths
    assert (f"freeze finds no layer {missing}: without attention the layers are 0 to 3" in log.text) == bool(missing)
    assert ("freeze finds no layer" in log.text) == bool(missing)
    assert (f"freeze={asked} counts the layers without attention: rows {', '.join(paths)}" in log.text) == bool(paths)


def test_paths_freeze_what_they_freeze_in_the_base():
    """Each path, in the base and translated, names the same parameters by Ultralytics' rule."""
    base, model = build(detector()), build(ROWS)
    moved = {0: 0, 1: 2, 2: 4, 3: 5}
    for asked in (["3.cv2"], ["1.conv", 2], ["3.cv3.1", "0"], ["0.bn"], [3]):
        frozen = [
            {name for name, _ in net.named_parameters() if any(f"model.{path}." in name for path in paths)}
            for net, paths in ((base, asked), (model, training.translated(asked, model.model)))
        ]
        wanted = {".".join(["model", str(moved[int(k)]), *rest]) for _, k, *rest in (n.split(".") for n in frozen[0])}
        assert wanted and frozen[1] == wanted


def test_a_path_beside_attention_in_a_block_and_one_to_it():
    rows = detector()
    rows["backbone"][1] = [-1, 1, "C2f_SE", [16, True, {"reduction": 4}]]
    rows["backbone"].insert(0, [-1, 1, "Conv", [8, 3, 2]])
    rows["head"][0][0] = [1, 2, 3]
    layers = build(rows).model
    assert training.translated(["2.m"], layers) == ["2.m.0.cv1", "2.m.0.cv2"]
    assert training.translated(["2.m.0.attn"], layers) == ["2.m.0.attn"]  # who names it means it


@pytest.mark.parametrize("asked", [["3.cv2", "1"], "1", (0, 1)])
def test_a_training_freezes_what_was_asked_and_passes_on_what_ultralytics_passes_over(asked, tmp_path, datasets, log):
    frozen = []
    yolo = YOLO(written(ROWS, tmp_path / "tiny.yaml"))
    yolo.add_callback(
        "on_train_start", lambda t: frozen.extend(n for n, p in t.model.named_parameters() if not p.requires_grad)
    )
    yolo.train(epochs=1, freeze=asked, project=tmp_path, name="t", **TINY)
    rows = {".".join(name.split(".")[1:3]) for name in frozen if "dfl" not in name}
    assert rows == ({"5.cv2", "2.conv", "2.bn"} if isinstance(asked, list) else set())
    assert yolo.trainer.args.freeze == asked
