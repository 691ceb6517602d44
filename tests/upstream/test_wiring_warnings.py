"""What a file's wiring gives to say is said when its model is built for training, and by `yolo-attn show`."""

import copy
import random
from pathlib import Path

import pytest
from ultralytics import YOLO
from ultralytics.nn import tasks
from ultralytics.nn.tasks import DetectionModel
from ultralytics.utils import LOGGER

from tests.support import yamls
from tests.support.bases import BASES, PLACES, base
from tests.support.wiring import find, put_in, reading, rightly
from yolo_attn import insertion
from yolo_attn.errors import AttentionError
from yolo_attn.surgery import recipe
from yolo_attn.upstream import layout, oversights
from yolo_attn.upstream.lookup import FOLDERS
from yolo_attn.view import table

COMPOSED = [
    "yolov8n-cbam-neck", "yolo26s-eca-head", "yolo11n-cbam-in-backbone", "yolov5n-se-after-9-P5-in-P3-P4-head",
    "rtdetr-l-eca-neck", "yolov9t-srm-stages", "yolov9e-gct-backbone", "yolov3-tiny-se-head", "yolov6n-bam-P5",
    "yolov10n-ca-sppf", "yolo12n-triplet-neck", "yolov8n-p2-eca-head", "yolo26n-p6-eca-P6-head", "yolo26n-sem-se-head",
    "yolov8n-cls-se", "yolov8s-world-eca-neck", "yolo11n-seg-cbam-P5-eca-head", "yolo26n-obb-se-head-gct-backbone",
]  # fmt: skip


@pytest.fixture
def warned(caplog):
    """Returns the warnings of building a model dict as the trainer does."""

    def build(model: dict, verbose: bool = True) -> list[str]:
        caplog.clear()
        LOGGER.addHandler(caplog.handler)
        try:
            tasks.parse_model({**copy.deepcopy(model), "scale": "n"}, 3, verbose=verbose)
        finally:
            LOGGER.removeHandler(caplog.handler)
        return [
            record.getMessage().partition("yolo_attn: ")[2]
            for record in caplog.records
            if record.levelname == "WARNING"
        ]

    return build


def small(**froms) -> dict:
    """Returns YOLOv8n with attention behind row 9, rightly wired but for `froms`, of a file called my.yaml."""
    return reading({**rightly(base("yolov8n")[0], 9), "yaml_file": "my.yaml"}, **froms)


def test_one_line_a_row_with_the_number_and_the_mend(warned):
    assert warned(small(row_18=[-1, 12], row_23=[15, 18, 21])) == [
        "my.yaml, row 18 Concat reads [-1, 12], as before attention was put in; "
        "it should probably read [-1, 13] (yolo-attn fix my.yaml -o mended.yaml)",
        "my.yaml, row 23 Detect reads [15, 18, 21], as before attention was put in; "
        "it should probably read [16, 19, 22] (yolo-attn fix my.yaml -o mended.yaml)",
    ]


def test_what_cannot_be_said_names_no_mend(warned):
    model = {**rightly(base("yolov8n")[0], 4), "yaml_file": "my.yaml"}
    assert warned(reading(model, row_23=[16, 19])) == ["my.yaml, row 22 C2f is read by nobody"]


def test_nothing_is_said_of_right_files_nor_where_nothing_is_printed(warned):
    assert warned(small()) == []
    assert warned(small(row_23=[15, 18, 21]), verbose=False) == []
    assert warned({**base("yolov8n")[0], "yaml_file": "my.yaml"}) == []


def test_a_file_is_warned_of_in_training_and_its_checkpoint_is_not(tmp_path, warned, caplog):
    file = tmp_path / "my.yaml"
    yamls.write(file, put_in(base("yolov8n")[0], 9))
    LOGGER.addHandler(caplog.handler)
    try:
        model = YOLO(file)
        model.save(tmp_path / "my.pt")
        YOLO(tmp_path / "my.pt")
        assert "should probably read" not in caplog.text
        DetectionModel(file, nc=3)  # as the trainer builds it
    finally:
        LOGGER.removeHandler(caplog.handler)
    assert caplog.text.count("should probably read") == 3


def test_models_without_attention_do_not_have_the_bases_read(monkeypatch, warned):
    def never():
        raise AssertionError("the bases are read")

    monkeypatch.setattr(oversights, "bases", never)
    assert warned(base("yolov8n")[0]) == []
    with pytest.raises(AssertionError, match="the bases are read"):
        warned(small())


def test_show_says_it_below_the_table():
    wrong = small(row_23=[15, 18, 21])
    line = "row 23 Detect reads [15, 18, 21], as before attention was put in; it should probably read [16, 19, 22]"
    assert table.text(wrong, 64).splitlines()[-1] == f"{table.WARNING} {line} (yolo-attn fix my.yaml -o mended.yaml)"
    assert table.WARNING not in table.text(small(), 64)


def test_show_of_what_cannot_run_says_where_and_why():
    """Row 15 joins a map of stride 16 with one of stride 8."""
    wrong = reading({**put_in(base("yolov8n")[0], 2), "yaml_file": "my.yaml"}, row_15=[-1, 6])
    with pytest.raises(AttentionError, match="my.yaml, row 15 Concat cannot run on what it reads") as raised:
        table.text(wrong)
    assert "\n" not in str(raised.value)


def test_fix_gives_a_model_that_is_written_and_found_right(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = base("yolov8n")[0]
    yamls.write("my.yaml", put_in(before, 4, 9))
    mended, lines = insertion.fix("my.yaml")
    assert recipe.all_rows(mended) == recipe.all_rows(rightly(before, 4, 9))
    assert lines[-1] == "row 24 Detect reads [17, 20, 23] instead of [15, 18, 21]"
    Path("mended.yaml").write_text(insertion.text(mended, "mended", "my.yaml, mended"), encoding="utf-8")
    assert recipe.all_rows(layout.load("mended.yaml")) == recipe.all_rows(mended)
    assert insertion.fix("mended.yaml")[1] == []


# No false alarm -------------------------------------------------------------------------------------------------------


def test_shipped_models_give_no_alarm():
    for file in FOLDERS["models"].glob("*.yaml"):
        assert find(yamls.read(file)) == [], file.name


@pytest.mark.parametrize("name", COMPOSED)
def test_composed_models_give_no_alarm(name):
    assert find(layout.load(f"{name}.yaml")) == []


def pytest_generate_tests(metafunc):
    """`pytest --all` takes every base with every place, other runs some."""
    if metafunc.function is test_what_is_inserted_gives_no_alarm:
        pairs = [(stem, at) for stem in BASES for at in PLACES]
        pairs = pairs if metafunc.config.getoption("--all") else random.Random(0).sample(pairs, 25)
        metafunc.parametrize(("stem", "at"), pairs, ids=[" ".join(pair) for pair in pairs])


def test_what_is_inserted_gives_no_alarm(stem, at):
    model, layers = base(stem)
    try:
        model = recipe.insert(model, "ECA", at, layers)
    except AttentionError as error:
        pytest.skip(f"not there: {error}")
    assert find(model) == []
    assert find(recipe.insert(model, "SE", "head", layout.layers(model))) == []
