"""What Ultralytics says of a command that cannot be done stays what it says: with the add-on, and of our models."""

import sys
from pathlib import Path

import pytest
import torch
from ultralytics import YOLO
from ultralytics.cfg import entrypoint
from ultralytics.utils import ASSETS

from tests.support.tiny import detector, written
from yolo_attn import upstream

TRAIN = "epochs=1 imgsz=64 fraction=0.02 workers=0 device=cpu plots=False project=runs"
COMMANDS = {
    "no lap": "track model={model}.pt source={picture} imgsz=64",
    "no weights": "predict model=missing.pt source={picture}",
    "no rows": f"train model=missing.yaml data=coco8.yaml {TRAIN}",
    "no picture": "predict model={model}.pt source=missing.jpg imgsz=64",
    "no data": f"train model={{model}}.pt data=missing.yaml {TRAIN}",
    "no data to validate": "val model={model}.pt data=missing.yaml imgsz=64",
    "text": "predict model=text.pt source={picture}",
    "nothing": "predict model=empty.pt source={picture}",
    "a dictionary": "predict model=dictionary.pt source={picture}",
    "tensors": "predict model=tensors.pt source={picture}",
    "a list": "predict model=list.pt source={picture}",
    "another network": "predict model=linear.pt source={picture} imgsz=64",
    "another suffix": "predict model=text.txt source={picture}",
    "another task": "classify val model={model}.pt data=missing imgsz=64",
    "no run to resume": f"train resume=missing.pt model={{model}}.pt {TRAIN}",
    "nothing to resume": f"train resume=True model={{model}}.pt {TRAIN}",
    "no format": "export model={model}.pt format=nonsense",
    "no mode": "nonsense model={model}.pt",
    "no key": "predict modle={model}.pt",
    "no number": "val model={model}.pt imgsz=abc",
    "weights that are text": f"train model={{model}}.yaml pretrained=text.pt data=shapes.yaml {TRAIN}",
    "weights that are tensors": f"train model={{model}}.yaml pretrained=tensors.pt data=shapes.yaml {TRAIN}",
    "a teacher of another network": f"train model={{model}}.yaml distill_model=linear.pt data=shapes.yaml {TRAIN}",
    "no optimizer": f"train model={{model}}.yaml optimizer=nonsense data=shapes.yaml {TRAIN}",
}
OF_THE_BUILT_IN_SET = [name for name, command in COMMANDS.items() if "shapes.yaml" in command]


@pytest.fixture(scope="module")
def folder(tmp_path_factory, datasets) -> Path:
    folder = tmp_path_factory.mktemp("messages")
    YOLO(written(detector(), folder / "plain.yaml")).save(folder / "plain.pt")
    YOLO(written(detector((1, "SE")), folder / "attention.yaml")).save(folder / "attention.pt")
    (folder / "text.pt").write_text("no checkpoint")
    (folder / "text.txt").write_text("no checkpoint")
    (folder / "empty.pt").write_bytes(b"")
    linear = torch.nn.Linear(2, 2)
    others = {"dictionary": {"a": 1}, "tensors": linear.state_dict(), "list": [1], "linear": {"model": linear}}
    for name, content in others.items():
        torch.save(content, folder / f"{name}.pt")
    return folder


def said(command: str, model: str) -> tuple[str, str]:
    """Returns the kind of error that a `yolo` command ends in, and its text."""
    with pytest.raises(BaseException) as raised:  # noqa: PT011  (of any kind)
        entrypoint("yolo " + command.format(model=model, picture=ASSETS / "bus.jpg"))
    return type(raised.value).__name__, str(raised.value).replace(f"{model}.", "MODEL.")


@pytest.mark.parametrize("name", list(COMMANDS))
def test_a_message_stays(name, folder, monkeypatch):
    monkeypatch.chdir(folder)
    monkeypatch.setitem(sys.modules, "lap", None)  # as where it is not installed
    ours = said(COMMANDS[name], "plain")
    if name not in OF_THE_BUILT_IN_SET:  # which Ultralytics alone does not find
        upstream.uninstall()
        try:
            assert ours == said(COMMANDS[name], "plain")
        finally:
            upstream.install()
    assert ours[0] != "AttentionError" and said(COMMANDS[name], "attention") == ours
