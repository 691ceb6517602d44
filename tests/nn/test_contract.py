"""What every operator and option keeps to, on the CPU; one suite for all."""

import copy
import io
import pickle

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode

from tests.support.operators import CASES, FURTHER, IDS, OPTIONS, assert_close, images, make
from yolo_attn import models, registry
from yolo_attn.export.parity import error
from yolo_attn.export.single import exported, rewritten
from yolo_attn.nn import Attention
from yolo_attn.tolerance import TOLERANCE

MAPS = [(1, 1), (1, 7), (7, 13), (20, 20)]
every_case = pytest.mark.parametrize(("name", "options"), CASES, ids=IDS)


def test_the_options_are_of_operators_that_there_are():
    assert set(FURTHER) <= set(registry.names())


@every_case
@pytest.mark.parametrize("size", MAPS)
@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("batch", [1, 3])
def test_shape_and_dtype(name, options, size, training, batch):
    module = make(name, options).train(training)
    y = module(images(batch, size=size))
    assert y.shape == (batch, 32, *size)
    assert y.dtype == torch.float32
    assert y.isfinite().all()


@every_case
def test_double_precision(name, options):
    module = make(name, options).double()
    assert module(images().double()).dtype == torch.float64


@every_case
@pytest.mark.parametrize("size", [(7, 13), (1, 1)])
def test_every_parameter_and_the_input_get_a_gradient(name, options, size):
    module, x = make(name, options).train(), images(8, size=size).requires_grad_()
    module(x).square().sum().backward()
    for key, parameter in [*module.named_parameters(), ("input", x)]:
        assert parameter.grad is not None and parameter.grad.isfinite().all(), key
        if size != (1, 1):  # on a 1×1 map a kernel's outer taps see padding alone
            assert parameter.grad.abs().sum() > 0, key


@every_case
def test_evaluation_is_deterministic_and_per_image(name, options):
    module, x = make(name, options), images(3)
    assert torch.equal(module(x), module(x))
    assert_close(torch.cat([module(x[i : i + 1]) for i in range(3)]), module(x))


@every_case
def test_training_leaves_no_graph_behind(name, options):
    module = make(name, options).train()
    module(images())
    twin = copy.deepcopy(module)  # Ultralytics' EMA does this; a cached graph tensor would raise
    assert_close(twin.eval()(images()), module.eval()(images()))
    assert not any(isinstance(value, torch.Tensor) for value in vars(module).values())


@every_case
@pytest.mark.parametrize("deployed", [False, True])
def test_pickle_and_state_dict(name, options, deployed):
    module = make(name, options)
    module = module.deploy() if deployed else module
    read = pickle.loads(pickle.dumps(module))
    assert torch.equal(read(images()), module(images()))
    file = io.BytesIO()
    torch.save(module.state_dict(), file)
    file.seek(0)
    other = make(name, options, seed=5)
    other = other.deploy() if deployed else other
    other.load_state_dict(torch.load(file, weights_only=True))
    assert torch.equal(other(images()), module(images()))


@every_case
def test_channels_last(name, options):
    module, x = make(name, options), images()
    y = module.to(memory_format=torch.channels_last)(x.to(memory_format=torch.channels_last))
    assert y.is_contiguous(memory_format=torch.channels_last)
    assert_close(y, make(name, options)(x))


@every_case
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("magnitude", [1.0, 300.0])
@pytest.mark.parametrize("training", [False, True])
def test_autocast(name, options, dtype, magnitude, training):
    module = make(name, options).train(training)
    if magnitude > 1 and options.get("channel_sigmoid") is False and dtype == torch.float16:
        pytest.skip("without its sigmoid the gate grows with the map, and fp16 ends at 65504: the docstring says so")
    x = (images(size=(20, 20)) * magnitude).to(dtype)
    with torch.autocast("cpu", dtype):
        y = module(x)
    assert y.dtype == dtype
    assert y.isfinite().all()
    if magnitude == 1.0 and not training:
        assert_close(y.float(), make(name, options)(x.float()), str(dtype).removeprefix("torch."))


@every_case
@pytest.mark.parametrize("size", MAPS)
def test_deploy_equals(name, options, size):
    module = make(name, options)
    deployed = module.deploy()
    assert_close(deployed(images(size=size)), module(images(size=size)))
    assert not any(isinstance(m, (Attention, nn.modules.batchnorm._BatchNorm)) for m in deployed.modules())
    assert not any(p.requires_grad for p in deployed.parameters())
    assert deployed.source == module.describe()


@every_case
def test_deploy_leaves_the_operator_alone(name, options):
    module = make(name, options).train()
    before = {key: value.clone() for key, value in module.state_dict().items()}
    deployed = module.deploy()
    with torch.no_grad():
        for parameter in deployed.parameters():
            parameter.zero_()
    assert module.training
    assert all(torch.equal(before[key], value) for key, value in module.state_dict().items())


@every_case
def test_the_gate_is_what_the_map_is_multiplied_by(name, options):
    module, x = make(name, options), images()
    if not module.gates:
        with pytest.raises(ValueError, match="it has no gate"):
            module.gate(x)
        return
    assert_close(x * module.gate(x), module(x))


@every_case
def test_it_says_what_it_is(name, options):
    text = make(name, options).describe()
    assert text.startswith(f"{name}(32")
    assert all(f"{key}={value}" in text for key, value in options.items())


@pytest.mark.parametrize("name", list(OPTIONS))
def test_a_training_step_compiles_into_one_graph(name):
    """Traced forward and backward as `compile=True` has it, channels last; a graph break would be an error."""
    gradient, steps = images(seed=2), []
    for compiled in (False, True):
        module, x = make(name, {}).train(), images().contiguous(memory_format=torch.channels_last).requires_grad_()
        torch._dynamo.reset()
        y = (torch.compile(module, fullgraph=True, backend="aot_eager") if compiled else module)(x)
        y.backward(gradient)
        assert y.is_contiguous(memory_format=torch.channels_last)
        steps.append([y, x.grad, *(p.grad for p in module.parameters())])
    for got, want in zip(*steps, strict=True):
        assert_close(got, want)


class Calls(TorchDispatchMode):
    """Collects the names of the operations that run while it is active."""

    def __init__(self):
        super().__init__()
        self.names = set()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        self.names.add(function.name())
        return function(*args, **(kwargs or {}))


@every_case
def test_a_deterministic_step_on_cuda_warns_of_nothing(name, options, monkeypatch):
    """No operation is on PyTorch's list of those that warn. Forward its tensors pretend to be on CUDA, where NonLocal
    takes another way; no backward pass runs on such, so that one is the CPU's."""
    monkeypatch.setattr(torch, "are_deterministic_algorithms_enabled", lambda: True)
    with FakeTensorMode(), torch.device("cuda"), Calls() as forward:
        make(name, options).train()(torch.empty(2, 32, 7, 13))
    y = make(name, options).train()(images().requires_grad_())
    with Calls() as backward:
        y.sum().backward()
    names = forward.names | {call for call in backward.names if "_attention" not in call}
    warn = ("adaptive", "grid_sampl", "put", "scatter_reduce", "cumsum", "median", "histc", "bincount", "kthvalue")
    warn += ("upsample", "pad", "unpool", "fractional", "nll_loss", "_attention", "embedding_bag", "avg_pool3d")
    assert len(names) > 9 and not [call for call in names for word in warn if word in call]


@every_case
@pytest.mark.parametrize("deployed", [False, True])
def test_torch_export(name, options, deployed):
    module = make(name, options)
    module = module.deploy() if deployed else module
    program = torch.export.export(module, (images(),))
    assert_close(program.module()(images()), module(images()))


@every_case
@pytest.mark.parametrize(("dynamic", "opset"), [(False, 18), (True, 13), (True, 18), (True, 20)])
def test_onnx_equals(name, options, dynamic, opset):
    module = make(name, options).deploy()
    model, _ = rewritten(exported(module, images().shape, dynamic, opset))
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    shapes = [(2, (7, 13)), *([(1, (1, 1)), (3, (32, 32)), (2, (5, 4))] if dynamic else [])]
    for batch, size in shapes:
        x = images(batch, size=size)
        (got,) = session.run(None, {"x": x.numpy()})
        assert error(got, module(x).numpy()) <= TOLERANCE["float32"], (batch, size)
    ops = {node.op_type for node in model.graph.node}
    assert {node.domain for node in model.graph.node} <= {"", "ai.onnx"}
    assert not ops & {"BatchNormalization", "Expand"}, ops
    if name in models.OPERATORS:
        # A gate of one channel keeps its shape by a constant Reshape, without which OpenCV's DNN refuses it.
        assert not ops & {"Transpose", "Shape", *(() if name in ("CBAM", "BAM") else ("Reshape",))}, ops
        pools = [node for node in model.graph.node if node.op_type in ("MaxPool", "AveragePool")]
        windows = [onnx.helper.get_node_attr_value(pool, "kernel_shape") for pool in pools]
        assert all(window[1:] == [1, 1] for window in windows), "a window over the map holds for one size only"


@pytest.mark.parametrize("name", [name for name in OPTIONS if name != "NonLocal"])  # a product of maps, laid out for it
def test_no_whole_map_is_transposed(name):
    model, _ = rewritten(exported(make(name, {}, 256).deploy(), (1, 256, 7, 13), False))
    assert not moved_maps(model, 256 * 7 * 13)


def moved_maps(model: onnx.ModelProto, numel: int) -> list[str]:
    """Returns the names of the Transposes whose tensor has `numel` elements or more."""
    model = onnx.shape_inference.infer_shapes(model)
    sizes = {
        value.name: np.prod([d.dim_value for d in value.type.tensor_type.shape.dim])
        for value in [*model.graph.value_info, *model.graph.input, *model.graph.output]
    }
    return [n.name for n in model.graph.node if n.op_type == "Transpose" and not sizes[n.input[0]] < numel]


@pytest.mark.parametrize("channels", [8, 24, 64, 100, 512])
@pytest.mark.parametrize("name", list(OPTIONS))
def test_channels_fit_or_are_refused_in_one_line(name, channels):
    try:
        module = registry.get(name).cls(channels).eval()
    except ValueError as refused:
        assert str(channels) in str(refused) and "set {" in str(refused) and "\n" not in str(refused)
    else:
        assert module(images(channels=channels)).shape[1] == channels


@pytest.mark.parametrize("name", list(OPTIONS))
@pytest.mark.parametrize("channels", ["c2", 0, -4, 1.5, True, None])
def test_channels_that_are_no_number_are_refused(name, channels):
    with pytest.raises(ValueError, match=f"channels of {name} must be a positive whole number"):
        registry.get(name).cls(channels)
