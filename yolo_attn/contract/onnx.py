"""ONNX files, of one size and of any, hold what PyTorch computes."""

import functools
import warnings

import onnx
import torch

from yolo_attn.contract.broken import require, trying
from yolo_attn.contract.case import Case, deployed
from yolo_attn.contract.start import SOME, started
from yolo_attn.contract.tracing import MEND
from yolo_attn.export.parity import error, runner
from yolo_attn.export.single import exported, rewritten
from yolo_attn.tolerance import TOLERANCE

STATIC, ANY = [(2, (7, 13))], [(2, (7, 13)), (1, (1, 1)), (3, (32, 32)), (2, (5, 4))]
OPSETS = (13, 18, 20)  # the oldest that torch's exporter writes, ours, and the newest
SIZES_STAY = "take sizes from x.shape as they are, never through int(), max() or a Python number"
EXPORTS = "write what torch's exporter has: mean((2, 3)) and amax for adaptive pooling, products for fused attention"


def check_onnx(case: Case) -> None:
    """A file for maps of one size gives PyTorch's numbers in ONNX Runtime."""
    compare(case, dynamic=False, opset=18)


def check_onnx_dynamic(case: Case) -> None:
    """A file for maps of any size and number gives them, at opsets 13, 18 and 20."""
    for opset in OPSETS:
        compare(case, dynamic=True, opset=opset)


def check_onnx_from_identity(case: Case) -> None:
    """A file of an operator after an identity start gives them."""
    module = deployed(started(case, SOME).eval())
    model = graph(module, tuple(case.images().shape), True, 18)
    same(model, module, case, [(2, (7, 13)), (2, (20, 20))])


@functools.cache
def compare(case: Case, dynamic: bool, opset: int) -> onnx.ModelProto:
    """Returns the fused graph of the operator, once it gave PyTorch's numbers.

    Raises:
        Broken: It cannot be exported, is no standard ONNX, or gives others.
    """
    module = case.deployed()
    model = graph(module, tuple(case.images().shape), dynamic, opset)
    with trying("the ONNX file", SIZES_STAY):
        onnx.checker.check_model(model, full_check=True)
    domains = {node.domain for node in model.graph.node} - {"", "ai.onnx"}
    require(not domains, f"the ONNX file needs operators of {', '.join(sorted(domains))}", "use torch's own operations")
    same(model, module, case, [one for one in ANY if case.taken([one[1]])] if dynamic else STATIC)
    return model


def graph(module: torch.nn.Module, shape: tuple[int, ...], dynamic: bool, opset: int) -> onnx.ModelProto:
    """Returns the fused graph of a module."""
    with trying(f"{'dynamic' if dynamic else 'static'} ONNX at opset {opset}", EXPORTS), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what the exporter thinks may differ is compared
        return rewritten(exported(module, shape, dynamic, opset))[0]


def same(model: onnx.ModelProto, module: torch.nn.Module, case: Case, shapes: list) -> None:
    """Compares on maps and on their negatives, which take the other way where a number decides."""
    with trying("ONNX Runtime", SIZES_STAY):
        run = runner(model)
    for batch, size in shapes:
        for x in (case.images(batch, size), -case.images(batch, size)):
            where = f"on {batch} maps of {size[0]}×{size[1]}"
            with trying(f"{where} the ONNX file fails", SIZES_STAY):
                (got,) = run(x)
            apart = error(got, module(x).numpy())
            mend = SIZES_STAY if (batch, size) != shapes[0] else MEND
            require(apart <= TOLERANCE["float32"], f"{where} the ONNX file differs by {apart:.1e}", mend)
