"""The drawing of a network."""

import pytest

from yolo_attn import cli
from yolo_attn.surgery import recipe
from yolo_attn.upstream import layout
from yolo_attn.view import drawing, table


@pytest.mark.parametrize("stem", ["yolov5n-cbam", "yolo26n-eca-head-cbam-in-backbone", "yolov9e", "yolov8n-cls-se"])
def test_the_drawing_shows_every_row_apart_from_the_others(stem):
    model = layout.load(f"{stem}.yaml")
    rows = recipe.all_rows(model)
    figure = drawing.figure(model)
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert all(str(i) in texts for i in range(len(rows)))
    lines = table.lines(model)
    columns, upward = drawing._columns(model, levels := drawing._levels(model, lines))
    boxes, _ = drawing._boxes(levels, columns, upward)
    assert len({(box.column, round(box.y, 3)) for box in boxes}) == len(rows)


def test_the_drawing_is_written(tmp_path, capsys):
    assert cli.main(["show", "yolov8n-cls-se.yaml", "imgsz=224", "-o", str(tmp_path / "my.svg")]) == 0
    assert "<svg" in (tmp_path / "my.svg").read_text(encoding="utf-8")
