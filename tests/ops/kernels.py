"""The Triton kernels against the eager operators in float64: on a GPU where there is one, else in Triton's interpreter.

`tests/ops/test_kernels.py` runs this file in a process of its own, as the interpreter has to be chosen before triton is
loaded. On a GPU: `pytest tests/ops/kernels.py`.
"""

import copy

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from tests.support.operators import make
from yolo_attn.errors import AttentionError
from yolo_attn.ops import choice

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
TOLERANCE = {torch.float32: 1e-5, torch.float16: 1e-3, torch.bfloat16: 5e-3}  # RMS of the error over RMS of the result
CASES = [
    ("CBAM", {"reduction": 4}),
    ("CoordAtt", {}),
    ("GAM", {}),
    ("GAM", {"channel_sigmoid": False}),
    ("GAM", {"rank": 3}),
    ("GAM", {"depthwise": True}),
    ("TripletAttention", {"kernel_size": 3}),
    ("TripletAttention", {"kernel_size": 3, "spatial": False}),
]
IDS = [name + "".join(f"-{key}={value}" for key, value in options.items()) for name, options in CASES]
NAMES = ["CBAM", "CoordAtt", "GAM", "TripletAttention"]
OTHERS = ("GAM-channel_sigmoid=False", "GAM-rank=3", "TripletAttention-kernel_size=3-spatial=False")
every_case = pytest.mark.parametrize(
    ("name", "options"),
    [
        pytest.param(*case, id=i, marks=pytest.mark.thorough if i in OTHERS else ())
        for case, i in zip(CASES, IDS, strict=True)
    ],
)
SHAPES = [(2, 12, 5, 7), (1, 4, 1, 1), (3, 36, 13, 9), (1, 132, 3, 17)]
LAYOUTS = ("first", "last", "slice", "window")


@pytest.fixture(autouse=True)
def restore():
    yield
    choice.use("eager")
    torch._dynamo.reset()


@pytest.fixture
def poisoned(monkeypatch):
    """Fills every buffer that is made with NaN, or the smallest integer: what a kernel does not write shows."""

    def poison(make):
        def poisoned_make(*args, **kwargs):
            tensor = make(*args, **kwargs)
            if tensor.device.type == "meta" or not tensor.numel():
                return tensor
            return tensor.fill_(float("nan") if tensor.is_floating_point() else torch.iinfo(tensor.dtype).min)

        return poisoned_make

    for owner, name in ((torch, "empty"), (torch, "empty_like"), (torch.Tensor, "new_empty")):
        monkeypatch.setattr(owner, name, poison(getattr(owner, name)))


class Spy(TorchDispatchMode):
    """Sees which of this package's operators PyTorch calls."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        self.seen += [function.name()] if function.namespace == "yolo_attn" else []
        return function(*args, **(kwargs or {}))


def images(shape: tuple[int, ...], layout: str = "first", seed: int = 0) -> torch.Tensor:
    """Returns a map of values in sixteenths, so that maxima tie, lying as `layout` says."""
    n, c, h, w = shape
    generator = torch.Generator().manual_seed(seed)

    def draw(*sizes: int) -> torch.Tensor:
        return (torch.randn(sizes, generator=generator) * 16).round().div(16).to(DEVICE)

    if layout == "slice":  # half the channels of a wider map, as a split block hands them on
        return draw(n, 2 * c, h, w)[:, c:]
    if layout == "window":  # its pixels at unequal distances
        return draw(n, c, h + 2, w + 3)[:, :, 1:-1, 2:-1]
    x = draw(n, c, h, w)
    return x.to(memory_format=torch.channels_last) if layout == "last" else x


def operator(name: str, options: dict, channels: int, identity: bool = False) -> nn.Module:
    """Returns an operator in training; after an identity start, with shares between 0 and 1."""
    module = make(name, options, channels)
    if identity:
        module.start_as_identity()
        with torch.no_grad():
            module.blend.copy_(torch.linspace(0.3, 0.7, len(module.blend)))
    return module.train().to(DEVICE)


def step(module: nn.Module, x: torch.Tensor, gradient: torch.Tensor) -> dict[str, torch.Tensor]:
    """Returns output, every gradient and every statistic of a training step."""
    x = x.detach().requires_grad_()
    y = module(x)
    y.backward(gradient)
    found = {"y": y.detach(), "dx": x.grad, **{f"d{key}": p.grad for key, p in module.named_parameters()}}
    return found | {key: value for key, value in module.named_buffers() if "running" in key}


def with_kernels(module: nn.Module, x: torch.Tensor, gradient: torch.Tensor) -> dict[str, torch.Tensor]:
    """Does a step on the kernels; fails where the operator took another way."""
    choice.use("triton")
    with Spy() as spy:
        found = step(module, x, gradient)
    assert {"backward" in name for name in spy.seen} == {True, False}, spy.seen
    choice.use("eager")
    return found


def assert_agrees(got: dict[str, torch.Tensor], want: dict[str, torch.Tensor], tolerance: float, loose: float = 0.0):
    """Compares by RMS. `loose` excuses parameters whose true gradient is nothing but rounding: a bias before a norm."""
    assert got.keys() == want.keys()
    for key, value in want.items():
        assert got[key] is not None and got[key].isfinite().all(), key
        error = (got[key].double() - value).square().mean().sqrt()
        assert error <= tolerance * value.square().mean().sqrt() + loose, (key, error.item())


@every_case
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_output_and_every_gradient(name, options, shape, poisoned):
    module = operator(name, options, shape[1], identity=shape[0] == 2)
    for layout in LAYOUTS if shape == SHAPES[0] else LAYOUTS[:2]:
        x, gradient = images(shape, layout), images(shape, layout, seed=1)
        twin, ours = copy.deepcopy(module).double(), copy.deepcopy(module)
        want, got = step(twin, x.double(), gradient.double()), with_kernels(ours, x, gradient)
        assert_agrees(got, want, TOLERANCE[torch.float32], loose=1e-5)
        lies = torch.channels_last if layout == "last" else torch.contiguous_format
        assert got["y"].is_contiguous(memory_format=lies) and got["dx"].is_contiguous(memory_format=lies)


@every_case
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision(name, options, dtype):
    """Against float64 with the same rounded weights; the small layers between the kernels stay in float32."""
    if name == "GAM" and dtype == torch.bfloat16 and choice.INTERPRETED:
        pytest.skip("Triton's interpreter multiplies matrices of bfloat16 as if their bits were whole numbers")
    shape = (2, 16, 6, 10)
    module = operator(name, options, shape[1])
    if name == "GAM":
        module.spatial_attention = nn.Sequential(nn.Sigmoid())  # its convolutions round as well
    x, gradient = images(shape).to(dtype), images(shape, seed=1).to(dtype)
    want = step(copy.deepcopy(module).double(), x.double(), gradient.double())
    with torch.autocast(DEVICE, dtype):
        got = with_kernels(copy.deepcopy(module), x, gradient)
    assert got["y"].dtype == got["dx"].dtype == dtype
    for key in ("y", "dx"):
        error = (got[key].double() - want[key]).square().mean().sqrt() / want[key].square().mean().sqrt()
        assert error <= 4 * TOLERANCE[dtype], (key, error.item())  # autocast rounds the layers between as well


@pytest.mark.parametrize(("name", "even"), [("CBAM", False), ("CBAM", True), ("TripletAttention", False)])
def test_of_values_that_tie_the_first_gets_the_gradient(name, even):
    """On a map of several tiles both ways, so that values of different tiles tie."""
    module, shape = operator(name, {"reduction": 4} if name == "CBAM" else {}, 76), (1, 76, 13, 17)
    gradient = images(shape, seed=1)
    x = torch.ones(shape, device=DEVICE)
    if even:  # a channel gate of one half everywhere, so that the map still ties behind it
        for parameter in module.channel_attention.parameters():
            parameter.data.zero_()
    want = step(copy.deepcopy(module).double(), x.double(), gradient.double())
    assert_agrees(with_kernels(copy.deepcopy(module), x, gradient), want, 1e-5, loose=1e-5)


@every_case
def test_a_broadcast_gradient(name, options):
    """A sum's gradient is one number with strides of 0."""
    module, x = operator(name, options, 12), images((2, 12, 5, 7))
    gradient = torch.ones((), device=DEVICE).expand(x.shape)
    want = step(copy.deepcopy(module).double(), x.double(), gradient.double())
    assert_agrees(with_kernels(copy.deepcopy(module), x, gradient), want, 1e-5, loose=1e-4)


@every_case
def test_the_same_input_gives_the_same_bits(name, options):
    module, x, gradient = operator(name, options, 12), images((2, 12, 5, 7)), images((2, 12, 5, 7), seed=1)
    first, second = (with_kernels(copy.deepcopy(module), x, gradient) for _ in range(2))
    assert all(torch.equal(first[key], second[key]) for key in first)


@pytest.mark.parametrize("name", NAMES)
def test_a_compiled_step_is_one_graph(name):
    module, x, gradient = operator(name, {}, 16), images((2, 16, 5, 7)), images((2, 16, 5, 7), seed=1)
    want = with_kernels(copy.deepcopy(module), x, gradient)
    choice.use("triton")
    twin = copy.deepcopy(module)
    compiled = torch.compile(twin, fullgraph=True, backend="aot_eager")
    x = x.detach().requires_grad_()
    y = compiled(x)
    y.backward(gradient)
    got = {"y": y.detach(), "dx": x.grad, **{f"d{key}": p.grad for key, p in twin.named_parameters()}}
    assert_agrees(got, {key: want[key].double() for key in got}, 1e-5, loose=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_kept_for_backward_is_x_and_what_is_smaller(name):
    """The map once; of GAM its channel part, for what the convolutions of its spatial gate keep is their own."""
    module, x = operator(name, {}, 32), images((2, 32, 16, 16)).requires_grad_()
    own, kept = {p.untyped_storage().data_ptr() for p in (*module.parameters(), *module.buffers())}, {}

    def pack(tensor):
        if tensor.untyped_storage().data_ptr() not in own:
            kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage()
        return tensor

    choice.use("triton")
    if name == "GAM":
        from yolo_attn.ops.triton.gam import gam_channel

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            gam_channel(x, module.channel_attention.parameters(), True, None)
    else:
        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            module(x)
    sizes = sorted((storage.nbytes() for storage in kept.values()), reverse=True)
    assert sizes[0] == x.nbytes and sum(sizes[1:]) < x.nbytes


def operator_calls(name: str) -> list[tuple]:
    """Returns the library's operators of one attention operator, each with arguments that it takes."""
    x = images((2, 12, 5, 7)).requires_grad_()
    c, p, q, r = (
        torch.rand(s, device=DEVICE).requires_grad_()
        for s in ((2, 12, 1, 1), (2, 1, 5, 7), (2, 12, 1, 7), (2, 12, 5, 1))
    )
    one = torch.ones(1, device=DEVICE).requires_grad_()
    zero = torch.zeros((), device=DEVICE)
    if name == "CBAM":
        from yolo_attn.ops.triton import cbam as ops

        relays = zero.expand(2, 12, 5, 7), zero.expand(2, 12, 1, 1), zero.expand(2, 4, 5, 7)
        return [
            (ops.cbam_pool, (x,)),
            (ops.cbam_stats, (x.detach(), c, *relays)),
            (ops.cbam_apply, (x.detach(), c, p, relays[0], zero.expand(2, 1, 5, 7))),
        ]
    if name == "CoordAtt":
        from yolo_attn.ops.triton import coordatt as ops

        relays = zero.expand(2, 12, 5, 7), zero.expand(2, 12, 5, 1), zero.expand(2, 12, 1, 7), zero.expand(1)
        return [(ops.strip_pool, (x,)), (ops.strip_apply, (x.detach(), r, q, one, *relays))]
    if name == "TripletAttention":
        from yolo_attn.ops.triton import triplet as ops

        relays = [zero.expand(s) for s in ((2, 12, 5, 7), (2, 1, 5, 7), (2, 12, 1, 7), (2, 12, 5, 1))]
        return [(ops.triplet_pool, (x,)), (ops.triplet_apply, (x.detach(), p, q, r, *relays))]
    from yolo_attn.ops.triton import gam as ops

    weights = [torch.randn(s, device=DEVICE).requires_grad_() for s in ((3, 12), (3,), (12, 3), (12,))]
    return [(ops.gam_gate, (x, *weights, one, one.detach() * 0.5, True))]


@pytest.mark.parametrize("name", NAMES)
def test_opcheck(name):
    for call, arguments in operator_calls(name):
        torch.library.opcheck(call, arguments)


def test_a_perceptron_too_wide_for_the_kernel_is_refused_in_one_line():
    choice.use("triton")
    with pytest.raises(AttentionError, match="up to 256 hidden channels, got 257; set YOLO_ATTN_IMPL=eager"):
        operator("GAM", {"reduction": 1}, 257)(images((2, 257, 1, 1)))


def test_a_map_they_do_not_take_is_refused_in_one_line():
    choice.use("triton")
    with pytest.raises(AttentionError, match="CBAM's kernels take float32, bfloat16 and float16, got torch.float64"):
        operator("CBAM", {"reduction": 4}, 12).double()(images((2, 12, 5, 7)).double())


def test_evaluation_and_export_never_see_them():
    choice.use("triton")
    module = operator("CBAM", {"reduction": 4}, 12).eval()
    with Spy() as spy:
        module(images((2, 12, 5, 7)))
        module.deploy()(images((2, 12, 5, 7)))
    program = torch.export.export(module.train(), (images((2, 12, 5, 7)),))
    assert not spy.seen
    assert "yolo_attn" not in str(program.graph)
