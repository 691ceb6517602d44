"""A checkpoint that would run something is refused under `ULTRALYTICS_SAFE_LOAD=1`: we open no way around."""

import io
import os
import zipfile

import pytest
import torch
from ultralytics.nn import tasks

from tests.upstream.test_golden import GOLDEN
from yolo_attn.nn import ECA, own, sources


class Calls:
    """Pickles as a call of `function`."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


class Built(Calls):
    """Pickles as an operator of ours whose state is the result of a call."""

    def __reduce__(self):
        return ECA, (8,), {"channels": Calls(*self.call)}


CRAFTED = {
    "a system call": lambda: Calls(os.system, "touch executed"),
    "python": lambda: Calls(exec, "open('executed', 'w').close()"),
    "in the state of an operator": lambda: Built(os.mkdir, "executed"),
    "as an operator's option": lambda: Calls(ECA, Calls(os.mkdir, "executed")),
    "by our own import": lambda: Calls(own.restored, Calls(os.mkdir, "executed"), {}),
    "a function of ours": lambda: Calls(sources.load, "executed.py"),
}


@pytest.mark.parametrize("kind", CRAFTED)
def test_nothing_is_called(kind, quiet_folder):
    torch.save({"model": CRAFTED[kind]()}, quiet_folder / "crafted.pt")
    with pytest.raises(TypeError, match="outside the supported Ultralytics checkpoint format"):
        tasks.torch_safe_load("crafted.pt", safe_only=True)


def test_a_golden_checkpoint_with_one_class_exchanged_is_refused(quiet_folder):
    """The file is whole but for a class of ours, in whose place stands a function of the same number of arguments."""
    crafted = io.BytesIO()
    with zipfile.ZipFile(GOLDEN / "operators.pt") as whole, zipfile.ZipFile(crafted, "w") as changed:
        for name in whole.namelist():
            data = whole.read(name)
            changed.writestr(
                name, data.replace(b"cyolo_attn.nn.eca\nECA\n", b"cos\nsystem\n") if "pkl" in name else data
            )
    (quiet_folder / "crafted.pt").write_bytes(crafted.getvalue())
    assert tasks.torch_safe_load(str(GOLDEN / "operators.pt"), safe_only=True)[0]["model"] is not None
    with pytest.raises(TypeError, match="outside the supported Ultralytics checkpoint format"):
        tasks.torch_safe_load("crafted.pt", safe_only=True)
