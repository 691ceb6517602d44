"""Counts the ONNX nodes of each operator: the form that people paste, and ours, for one map size and for any.

    python -m benchmarks.deploy.nodes      # half a minute

Writes benchmarks/deploy/nodes.md, which a test renders again.
"""

import warnings
from pathlib import Path

import torch

from benchmarks import arguments
from tests.support.operators import make
from tests.support.pasted import paste
from yolo_attn import registry
from yolo_attn.export.single import exported, rewritten

SHAPE = (1, 64, 20, 24)
FILE = Path(__file__).with_suffix(".md")
HEAD = """# ONNX nodes of each operator

At 64 channels, opset 18, after onnxslim. "Dynamic" leaves batch, height and width open. Pasted is the form people copy
today, exported as it is. Rendered by `python -m benchmarks.deploy.nodes`.

| operator | pasted | ours | pasted, dynamic | ours, dynamic | ours, for TensorRT |
|---|---|---|---|---|---|
"""


def count(name: str, pasted: bool, dynamic: bool, reader: str = "onnx") -> int | str:
    """Returns how many nodes an operator has, or `fails` where torch cannot export it."""
    operator = make(name, {}, SHAPE[1])
    try:
        model = exported(paste(operator) if pasted else operator.deploy(), SHAPE, dynamic)
    except torch.onnx.errors.OnnxExporterError:
        return "fails"
    return len((model if pasted else rewritten(model, reader)[0]).graph.node)


def render() -> str:
    """Returns the table as Markdown."""
    rows = []
    for name in registry.names():
        counts = [count(name, pasted, dynamic) for dynamic in (False, True) for pasted in (True, False)]
        rows.append(f"| {' | '.join(map(str, [name, *counts, count(name, False, True, reader='tensorrt')]))} |\n")
    return HEAD + "".join(rows)


def main() -> None:
    arguments.parser(__doc__).parse_args()
    warnings.simplefilter("ignore")  # of tracing
    FILE.write_text(render(), encoding="utf-8")
    print(FILE.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
