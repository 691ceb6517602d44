"""Model names that say what is put in, and where: yolo11n-cbam-in-backbone."""

import pytest

from yolo_attn.surgery import names
from yolo_attn.upstream import compose


@pytest.mark.parametrize(
    ("stem", "name"),
    [
        ("yolo11n-cbam", ("yolo11n", [("CBAM", ["backbone"])])),
        ("yolo26s-eca-head", ("yolo26s", [("ECA", ["head"])])),
        ("yolov8m-seg-gam-P5", ("yolov8m-seg", [("GAM", ["P5"])])),
        ("yolo11n-cbam-in-backbone", ("yolo11n", [("CBAM", ["in:backbone"])])),
        ("yolo11n-cbam-in-neck-P3", ("yolo11n", [("CBAM", ["in:neck-P3"])])),
        ("yolo11n-cbam-neck-P3-P4", ("yolo11n", [("CBAM", ["neck-P3", "neck-P4"])])),
        ("yolo11n-ca-P3-head", ("yolo11n", [("CoordAtt", ["P3", "head"])])),
        ("yolov5n-se-after-9-eca-in-4-6", ("yolov5n", [("SE", ["after:9"]), ("ECA", ["in:4", "in:6"])])),
        ("yolov5n-se-after-9-P5-in-P3-P4-head", ("yolov5n", [("SE", ["after:9", "P5", "in:P3", "in:P4", "head"])])),
        ("rtdetr-l-eca-neck", ("rtdetr-l", [("ECA", ["neck"])])),
        ("yolov8n-ghost-p2-se-sppf", ("yolov8n-ghost-p2", [("SE", ["sppf"])])),
        ("yolo26n", None),
        ("nobody-cbam", None),
        ("yolo26n-foo", None),
    ],
)
def test_names_are_read(stem, name):
    assert names.read(stem, compose.is_base) == name
    if name and "in-P3-P4" not in stem:
        written = "-".join([name[0], *(names.write("", *group)[1:] for group in name[1])])
        assert names.read(written, compose.is_base) == name
