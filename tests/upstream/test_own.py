"""Operators of other people: they have what ours have, nothing but the caller and the environment names them."""

import copy
import io
import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import yolo_attn
from tests.support.sensitive import sensitive
from tests.support.tiny import build, detector, image
from yolo_attn import registry
from yolo_attn.errors import AttentionError
from yolo_attn.nn import Attention, own, sources

FOLDER = Path(__file__).parents[1] / "support" / "own"
FILES = [str(FOLDER / f"{name}.py") for name in ("my_attention", "my_gate", "my_transform")]


@pytest.fixture
def registered():
    """Registers both operators, and takes them out again."""
    before = dict(os.environ)
    infos = [own.register(cls) for file in FILES for cls in sources.load(file)]
    yield infos
    for info in infos:
        if registry.find(info.name):
            own.take_out(info)
    os.environ.clear()
    os.environ.update(before)


def program(code: str, *files: str, **env: str) -> subprocess.CompletedProcess:
    """Runs Python with `files` as operators."""
    variables = {**os.environ, "YOLO_ATTN_OPERATORS": os.pathsep.join(files), **env}
    return subprocess.run([sys.executable, "-c", code], env=variables, capture_output=True, text=True, timeout=120)


def test_they_are_operators_with_names_options_and_places(registered):
    assert [info.name for info in registered] == ["MyAttention", "MyGate", "MyTransform"]
    assert registered[0].options == {"reduction": 4} and registered[1].options == {"bias": True}
    assert registered[0].title == "Each channel by a number made of the means of all"
    assert registry.get("my_attention") is registered[0] and "MyGate" in yolo_attn.names()
    model = yolo_attn.insert("yolo11n.yaml", "myattention.r8", at=["P5", "in:neck-P3"])
    assert [-1, 1, "MyAttention", [{"reduction": 8}]] in model["backbone"]
    assert any(row[2] == "C3k2_MyAttention" for row in model["head"])


@pytest.mark.parametrize(
    "row", [["MyAttention", [2]], ["MyAttention", [{"reduction": 2}]], ["MyGate", [{"bias": False}]]]
)
def test_rows_build_them_and_pretrained_weights_follow(registered, row, log):
    source, model = sensitive(build(detector())), build(detector((0, row), (1, row)))
    operator = model.model[1]
    assert operator.registered and operator.options().keys() <= vars(operator).keys()
    assert (operator.reduction == 2) if row[0] == "MyAttention" else (operator.bias is False)
    model.load(source)
    assert "so that the pretrained network keeps its output" in log.text
    with torch.no_grad():
        assert torch.allclose(model.eval()(image())[0], source.eval()(image())[0], rtol=1e-4, atol=1e-4)


def trained(name: str) -> torch.nn.Module:
    model = sensitive(build(detector((0, name), (1, "CBAM"))))
    for module in model.modules():
        if isinstance(module, Attention):
            module.start_as_identity()
            torch.nn.init.constant_(module.blend, 0.5)
    return model.eval()


@pytest.mark.parametrize("name", ["MyAttention", "MyGate", "MyTransform"])
@pytest.mark.parametrize("fused", [False, True])
def test_checkpoints_call_them_by_name(registered, name, fused):
    model = trained(name)
    before = model(image())[0]
    if fused:
        model.fuse(verbose=False)
        assert model.is_fused()
        assert torch.allclose(model(image())[0], before, rtol=1e-4, atol=1e-4)
        before = model(image())[0]
    assert torch.equal(copy.deepcopy(model)(image())[0], before)
    file = io.BytesIO()
    torch.save({"model": model}, file)
    for restricted in (False, True):
        file.seek(0)
        with torch.serialization.safe_globals(safe(model)):
            read = torch.load(file, weights_only=restricted)["model"]
        assert torch.equal(read(image())[0], before)
    own.take_out(registry.get(name))
    file.seek(0)
    with pytest.raises(AttentionError) as error:
        torch.load(file, weights_only=False)
    module = {"MyAttention": "my_attention.py", "MyGate": "my_gate.py", "MyTransform": "my_transform.py"}[name]
    assert f"this checkpoint needs the operator {name} of {module}, which is not registered here" in str(error.value)
    assert f"YOLO_ATTN_OPERATORS={module}" in str(error.value)


def safe(model: torch.nn.Module) -> list:
    """Returns what Ultralytics' restricted loading admits by itself: the classes of torch's and its own modules."""
    known = {type(m) for m in model.modules() if type(m).__module__.startswith(("torch.", "ultralytics."))}
    return [*known, set, type(model.names), getattr, torch.nn.ModuleList]


def test_a_checkpoint_that_is_crafted_is_refused(registered):
    class Crafted:
        def __reduce__(self):
            return os.getenv, ("HOME",)

    file = io.BytesIO()
    torch.save({"model": Crafted()}, file)
    file.seek(0)
    with pytest.raises(pickle.UnpicklingError, match="getenv"):
        torch.load(file, weights_only=True)


def test_identity_start_of_a_module_that_knows_nothing_of_it(registered):
    module, x = registered[0].cls(16), torch.randn(2, 16, 5, 7)
    mine = module.module(x)
    assert torch.equal(module(x), mine) and module.gates == ()
    module.start_as_identity()
    assert torch.equal(module(x), x)
    torch.nn.init.constant_(module.blend, 0.25)
    assert torch.allclose(module(x), x + 0.25 * (mine - x), atol=1e-6)
    assert torch.allclose(module.deploy()(x), module(x), atol=1e-6)
    with pytest.raises(AttentionError, match="it has no gate"):
        module.gate(x)


@pytest.mark.parametrize(
    "word", ["os.system", "my_attention.MyAttention", str(FOLDER / "my_attention.py"), "MyAttention"]
)
def test_no_row_and_no_name_makes_anything_imported(word):
    code = (
        "import sys, ultralytics.nn.tasks as tasks\n"
        f"rows = [[-1, 1, 'Conv', [8, 3, 8]], [-1, 1, {word!r}, []]]\n"
        "before = set(sys.modules)\n"
        "try:\n    tasks.parse_model({'nc': 1, 'backbone': rows, 'head': []}, 3, verbose=False)\n"
        "except Exception as error:\n    print(type(error).__name__)\n"
        f"try:\n    tasks.yaml_model_load('yolo11n-' + {Path(word).stem!r} + '.yaml')\n"
        "except Exception as error:\n    print(type(error).__name__)\n"
        "print([name for name in set(sys.modules) - before if 'my_' in name])"
    )
    done = program(code)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]" and len(done.stdout.splitlines()) == 3


def test_what_is_registered_reaches_the_processes_that_this_one_starts(registered, tmp_path):
    code = "from yolo_attn import names; print([n for n in names() if n.startswith('My')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "['MyAttention', 'MyGate', 'MyTransform']", done.stderr


def test_a_file_that_is_named_from_here_is_found_from_elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(FOLDER)
    code = (
        "import os, subprocess, sys, yolo_attn\nassert 'MyGate' in yolo_attn.names()\n"
        f"os.chdir({str(tmp_path)!r})\n"
        "print(subprocess.run([sys.executable, '-c', \"import yolo_attn; print(yolo_attn.get('MyGate').name)\"],"
        " capture_output=True, text=True).stdout)"
    )
    assert program(code, "my_gate.py").stdout.strip() == "MyGate"


def test_a_file_that_was_changed_in_between_is_refused(tmp_path):
    file = tmp_path / "changing.py"
    file.write_text((FOLDER / "my_gate.py").read_text().replace("MyGate", "Changing"))
    code = (
        "import subprocess, sys, pathlib, yolo_attn\n"
        "assert 'Changing' in yolo_attn.names()\n"
        f"file = pathlib.Path({str(file)!r}); file.write_text(file.read_text() + '# another')\n"
        "done = subprocess.run([sys.executable, '-c', \"import yolo_attn; yolo_attn.get('Changing')\"], text=True,"
        " capture_output=True)\n"
        "print(done.stderr.splitlines()[-1])"
    )
    done = program(code, str(file))
    assert "changing.py was changed since the process that started this one read it; start again" in done.stdout


HEAD = "import torch\nfrom torch import nn\n\n\nclass Wrong(nn.Module):\n"
INIT = "    def __init__(self, channels):\n        super().__init__()\n        self.conv = nn.Conv2d(channels, 8, 1)\n"
FORWARD = "    def forward(self, x):\n        return "
WRONG = {  # the class's body, and what the line says
    "the shape": (
        f"{INIT}{FORWARD}self.conv(x)[:, :, 1:]",
        "makes (1, 8, 7, 8) of a map (1, 8, 8, 8); attention keeps",
    ),
    "no tensor": (f"{INIT}{FORWARD}[x]", "makes list of a map"),
    "two inputs": (f"{INIT}    def forward(self, x, y):\n        return x", "a forward that needs 2 inputs, x, y"),
    "no channels": (f"{FORWARD}x", "has a constructor that takes no channels"),
    "more than channels": (
        f"{INIT.replace('channels):', 'channels, size):')}{FORWARD}x",
        "has a constructor that also wants size, which a row need not give; give it a default",
    ),
    "no forward": (INIT, "has no forward"),
    "its constructor": (
        f"{INIT.replace('super().__init__()', 'raise RuntimeError(channels)')}{FORWARD}x",
        "fails with 8 channels: RuntimeError: 8 (wrong.py, line 7)",
    ),
    "its forward": (f"{INIT}{FORWARD}x @ x.flatten()", "fails with 8 channels: RuntimeError"),
    "an import": (
        "    import nothing_of_that_name",
        "wrong.py, line 6: ModuleNotFoundError: No module named 'nothing_",
    ),
    "its syntax": ("    def", "wrong.py, line 6: SyntaxError"),
}


@pytest.mark.parametrize("wrong", list(WRONG))
def test_what_is_wrong_is_one_line_before_anything_starts(wrong, tmp_path):
    body, message = WRONG[wrong]
    (tmp_path / "wrong.py").write_text(HEAD + body)
    code = (
        "import json, warnings, ultralytics.nn.tasks as tasks\n"
        "rows = [[-1, 1, 'Conv', [8, 3, 8]], [-1, 1, 'Wrong', []]]\n"
        "stock = tasks.parse_model({'nc': 1, 'backbone': rows[:1], 'head': []}, 3, verbose=False)\n"
        "try:\n    tasks.parse_model({'nc': 1, 'backbone': rows, 'head': []}, 3, verbose=False)\n"
        "except ValueError as error:\n    print(json.dumps(str(error)))"
    )
    done = program(code, str(tmp_path / "wrong.py"))
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout.splitlines()[-1])
    assert message in said and "Wrong" in said and "\n" not in said


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("CBAM", "the name CBAM is that of an operator, CBAM; call yours otherwise"),
        ("CoordinateAttention", "the name CoordinateAttention is that of an operator, CoordAtt"),
        ("C3k2", "the name C3k2 is that of a module of Ultralytics'; call yours otherwise"),
        ("Neck", "the name Neck is that of a place; call yours otherwise"),
        ("Two Words", "'Two Words' is no name for an operator"),
    ],
)
def test_a_name_that_is_taken(name, message):
    with pytest.raises(AttentionError, match=message.replace("(", r"\(")):
        yolo_attn.register(sources.load(FILES[0])[0], name)
    assert name not in yolo_attn.names() or name == "CBAM"


def test_files_that_cannot_be_named_or_are_not_there(tmp_path):
    (tmp_path / "my-own.py").write_text("")
    (tmp_path / "json.py").write_text("")
    (tmp_path / "empty.py").write_text("")
    for file, message in (
        ("my-own.py", "call it my_own.py"),
        ("json.py", "there is another module 'json'"),
        ("empty.py", "empty.py has no operator: a torch.nn.Module whose constructor takes the channels"),
        ("missing.py", "and there is no such file"),
    ):
        with pytest.raises(AttentionError) as error:
            sources.load(str(tmp_path / file))
        assert message in str(error.value) and "\n" not in str(error.value)
    with pytest.raises(AttentionError, match="names no.such.module, which cannot be imported: ModuleNotFoundError"):
        sources.load("no.such.module")


def test_a_class_of_a_notebook_works_here_and_says_where_it_does_not():
    code = (
        "import warnings, torch, yolo_attn\nfrom torch import nn\n"
        "class Mine(nn.Module):\n"
        f"{INIT}{FORWARD}x * self.conv(x).mean(1, keepdim=True).sigmoid()\n"
        "with warnings.catch_warnings(record=True) as said:\n"
        "    yolo_attn.register(Mine)\n    yolo_attn.register(Mine)\n"
        "from ultralytics import YOLO\n"
        "print(type(YOLO('yolov8n-mine-P5.yaml').model.model[9]).__name__, said[0].message)"
    )
    done = program(code)
    assert (
        "Mine yolo_attn: Mine is defined in __main__, which other processes cannot import: put it into a file"
        in done.stdout
    ), done.stderr
