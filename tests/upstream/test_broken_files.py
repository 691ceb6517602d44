"""A file that can be no model ends in one line that names it, whichever way it is read; nothing in it is executed."""

import copy

import pytest
import yaml
from ultralytics import YOLO

from yolo_attn import insertion
from yolo_attn.errors import AttentionError
from yolo_attn.upstream import layout

MODEL = {
    "nc": 3,
    "scales": {"n": [0.33, 0.25, 1024]},
    "backbone": [
        [-1, 1, "Conv", [32, 3, 2]],
        [-1, 1, "GAM", []],
        [-1, 3, "C3_CBAM", [64, True, {"reduction": 8}]],
        [-1, 1, "Conv", [64, 3, 2]],
        [-1, 1, "ECA", [{"kernel_size": 3}]],
    ],
    "head": [[-1, 1, "nn.Upsample", [None, 2, "nearest"]], [[-1, 2], 1, "Concat", [1]], [[6, 4], 1, "Detect", ["nc"]]],
}
LAUGHS = "&l0 [ha, ha, ha]\n" + "".join(f"l{i}: &l{i} [{', '.join([f'*l{i - 1}'] * 9)}]\n" for i in range(1, 9))
TEXTS = {
    "nothing": "",
    "a comment": "# nothing\n",
    "null": "null",
    "a number": "3",
    "a text": "GAM",
    "a list": "- [-1, 1, GAM, []]\n",
    "no YAML": "backbone: [[-1, 1, GAM, []\nhead: {",
    "a tab": "nc: 3\nbackbone:\n\t- [-1, 1, GAM, []]\n",
    "bytes": "\x00\x01\x02",
    "a tag that runs": "nc: 3\nbackbone: !!python/object/apply:os.mkdir [executed]\nhead: []\n",
    "a tag in a row": "nc: 3\nbackbone:\n  - [-1, 1, GAM, [!!python/object/apply:os.mkdir [executed]]]\nhead: []\n",
    "a module that is a tag": "nc: 3\nbackbone:\n  - [-1, 1, !!python/name:os.mkdir , []]\nhead: []\n",
    "deep": "nc: 3\nbackbone: " + "[" * 5000 + "]" * 5000 + "\nhead: []\n",
    "arguments that hold themselves": "nc: 3\nbackbone:\n  - [-1, 1, GAM, &a [*a]]\nhead: []\n",
    "options that hold themselves": "nc: 3\nbackbone:\n  - [-1, 1, GAM, [&a {reduction: *a}]]\nhead: []\n",
    "a row that holds itself": "nc: 3\nbackbone:\n  - &a [-1, 1, *a, []]\nhead: []\n",
    "a part that holds itself": "nc: 3\nbackbone: &a [*a]\nhead: []\n",
    "laughs as arguments": f"l0: {LAUGHS}nc: 3\nbackbone:\n  - [-1, 1, GAM, [*l8]]\nhead: []\n",
    "laughs as an option": f"l0: {LAUGHS}nc: 3\nbackbone:\n  - [-1, 1, GAM, [{{reduction: *l8}}]]\nhead: []\n",
    "laughs as classes": f"l0: {LAUGHS}nc: *l8\nbackbone:\n  - [-1, 1, GAM, []]\nhead: []\n",
    "laughs as a row": f"l0: {LAUGHS}nc: 3\nbackbone:\n  - *l8\nhead: []\n",
}
PUT = {  # where, and what
    "no backbone": (("backbone",), ...),
    "no head": (("head",), ...),
    "a backbone that is null": (("backbone",), None),
    "a backbone that is a text": (("backbone",), "GAM"),
    "a backbone that is a mapping": (("backbone",), {"a": [-1, 1, "GAM", []]}),
    "an empty backbone": (("backbone",), []),
    "a head that is a number": (("head",), 3),
    "classes as a text": (("nc",), "3"),
    "no classes": (("nc",), 0),
    "classes that are no number": (("nc",), float("nan")),
    "scales of two numbers": (("scales",), {"n": [1, 1]}),
    "scales that are a list": (("scales",), [[1, 1, 1024]]),
    "a scale that is a text": (("scales", "n"), "small"),
    "a row that is a text": (("backbone", 1), "-1, 1, GAM, []"),
    "a row that is a number": (("backbone", 1), 7),
    "a row that is null": (("backbone", 1), None),
    "a row that is a mapping": (("backbone", 1), {"module": "GAM"}),
    "a row of two": (("backbone", 1), [-1, "GAM"]),
    "a row of five": (("backbone", 0), [-1, 1, "Conv", [32, 3, 2], 7]),
    "an empty row": (("head", 0), []),
    "a module that is a number": (("backbone", 1, 2), 5),
    "a module that is a list": (("backbone", 1, 2), ["GAM"]),
    "a module that is null": (("backbone", 1, 2), None),
    "a module that is yes": (("backbone", 1, 2), True),
    "an empty module": (("backbone", 1, 2), ""),
    "an unknown module": (("backbone", 1, 2), "os.system"),
    "a function of ultralytics": (("backbone", 1), [-1, 1, "torch_safe_load", ["executed"]]),
    "a module of dunder names": (("backbone", 1, 2), "__import__"),
    "an unknown module of torch": (("backbone", 0, 2), "nn.Nothing"),
    "no repeats": (("backbone", 1, 1), 0),
    "half a repeat": (("backbone", 1, 1), 1.5),
    "repeats as a text": (("backbone", 1, 1), "3"),
    "very many repeats": (("backbone", 1, 1), 99999999),
    "very many repeats of a block": (("backbone", 2, 1), 10**30),
    "very many repeats of a base row": (("backbone", 0, 1), 99999999),
    "an input to come": (("backbone", 1, 0), 5),
    "an input long past": (("backbone", 1, 0), -9),
    "an input that is a text": (("backbone", 1, 0), "backbone"),
    "an input that is null": (("backbone", 1, 0), None),
    "no inputs": (("head", 1, 0), []),
    "inputs of inputs": (("head", 1, 0), [[-1], 2]),
    "two inputs of attention": (("backbone", 4, 0), [-1, 2]),
    "an unknown option": (("backbone", 4, 3), [{"kernal": 3}]),
    "an option that is a list": (("backbone", 4, 3), [{"kernel_size": [3]}]),
    "an option that is a number": (("backbone", 4, 3), [{3: 3}]),
    "an even kernel": (("backbone", 4, 3), [{"kernel_size": 4}]),
    "a kernel below zero": (("backbone", 4, 3), [{"kernel_size": -3}]),
    "a kernel beyond all numbers": (("backbone", 4, 3), [{"kernel_size": 10**30 + 1}]),
    "a reduction of nothing": (("backbone", 1, 3), [{"reduction": 0}]),
    "a start that is none": (("backbone", 1, 3), [{"start": "yes"}]),
    "a block that is none": (("backbone", 1, 3), [{"instead": 3}]),
    "arguments that mean nothing": (("backbone", 1, 3), [[[]]]),
    "channels as a text": (("backbone", 0, 3), ["many"]),
    "channels below zero": (("backbone", 0, 3), [-32, 3, 2]),
    "channels that are nested": (("backbone", 0, 3), [[[32]]]),
    "no channels": (("backbone", 0, 3), []),
    "a width below zero": (("width_multiple",), -1),
    "a depth that is a text": (("depth_multiple",), "deep"),
    "an activation that runs": (("activation",), "__import__('os').mkdir('executed')"),
    "a head that reads itself": (("head", 2, 0), [7, 4]),
    "a head without inputs": (("head", 2, 0), -1),
}


def changed(where: tuple, value: object) -> dict:
    """Returns the model with something else at one place; `...` takes it out."""
    model = copy.deepcopy(MODEL)
    *path, last = where
    part = model
    for key in path:
        part = part[key]
    if value is ...:
        del part[last]
    else:
        part[last] = value
    return model


BROKEN = TEXTS | {name: yaml.safe_dump(changed(*put), allow_unicode=True) for name, put in PUT.items()}
READ = {
    "show": lambda file: layout.layers(layout.load(file)),
    "add": lambda file: insertion.text(insertion.insert(file, "eca", "P3"), "m", "m"),
    "remove": lambda file: insertion.text(insertion.remove(file), "m", "m"),
    "fix": lambda file: insertion.fix(file),
    "YOLO": lambda file: YOLO(file),
}


@pytest.mark.parametrize("way", READ)
@pytest.mark.parametrize("kind", BROKEN)
def test_it_is_one_line(kind, way, quiet_folder):
    (quiet_folder / "my-model.yaml").write_text(BROKEN[kind])
    try:
        READ[way]("my-model.yaml")
    except AttentionError as error:
        assert_one_line(error, "my-model.yaml")
    else:
        assert way in ("remove", "fix")  # which build no rows: what is wrong stays, or is taken out


def assert_one_line(error: AttentionError, file: str) -> None:
    said = str(error)
    assert file in said and said.isprintable() and len(said) < 1000, said
