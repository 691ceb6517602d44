"""EncNet sums as its paper does, in training and behind the authors' weights; what it learnt holds for other sizes."""

import copy
import io
import pickle

import onnxruntime
import pytest
import torch
from torch import nn

from tests.support.operators import assert_close, images, make
from tests.support.pasted import PastedEncNet, paste
from yolo_attn.export.parity import error
from yolo_attn.export.single import exported, rewritten
from yolo_attn.nn.encnet import EncNet
from yolo_attn.nn.layers import BatchNorm2d
from yolo_attn.nn.sumnorm import MapSize, SumNorm
from yolo_attn.tolerance import TOLERANCE

# As the layers lie in the authors' EncModule, with the classifier of its loss.
OFFICIAL = {
    "project.0": "encoding.0", "project.1": "encoding.1", "norm": "encoding.4", "fc.0": "fc.0",
    "codewords": "encoding.3.codewords", "scale": "encoding.3.scale",
}  # fmt: skip


def authors(channels: int = 8, codes: int = 32) -> PastedEncNet:
    """Returns the authors' module as it is after training: every tensor is its own, statistics are of sums."""
    torch.manual_seed(0)
    module = PastedEncNet(channels, codes, published=True).double()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.3)
        module.scale.sub_(0.5)
        module.train()(maps(80, channels))
    return module


def maps(size: int, channels: int = 8, seed: int = 3) -> torch.Tensor:
    return images(2, channels, (size, size), seed).double()


def official_state_dict(module: PastedEncNet) -> dict:
    state = {}
    for key, value in module.state_dict().items():
        name = next(name for name in OFFICIAL if key.startswith(name))
        state[OFFICIAL[name] + key.removeprefix(name)] = value.clone()
    return {**state, "selayer.weight": torch.zeros(3, 8), "selayer.bias": torch.zeros(3)}


@pytest.mark.parametrize("size", [9, 80])
@pytest.mark.parametrize("training", [False, True], ids=["eval", "train"])
def test_the_authors_state_dict_gives_the_authors_numbers(size, training):
    theirs, ours = authors(), EncNet(8).double()
    ours.load_state_dict(official_state_dict(theirs))
    x, y = maps(size).requires_grad_(), maps(size).requires_grad_()
    want, got = theirs.train(training)(x), ours.train(training)(y).relu()
    assert_close(got, want, "float64")
    want.square().sum().backward()
    got.square().sum().backward()
    gradients = {OFFICIAL.get(n, n): p.grad for n, p in theirs.named_parameters()}
    assert_close(y.grad, x.grad, "float64")
    assert_close(ours.codewords.grad[0], gradients["encoding.3.codewords"], "float64")
    assert_close(ours.scale.grad, gradients["encoding.3.scale"], "float64")
    assert_close(ours.norm.running_mean, theirs.norm.running_mean, "float64")
    assert_close(ours.norm.running_var, theirs.norm.running_var, "float64")
    if not training:
        assert_close(ours.deploy()(maps(size)).relu(), want, "float64")


def test_the_authors_weights_in_a_trained_module_count_as_they_are():
    theirs, ours = authors(), trained()
    ours.load_state_dict(official_state_dict(theirs))
    assert_close(ours(maps(9)).relu(), theirs.eval()(maps(9)), "float64")


def trained(size: int = 20, **options) -> EncNet:
    """Returns a module behind a step of training on maps of one size."""
    module = make("EncNet", options, 8).double()
    module.train()(maps(size))
    return module.eval()


@pytest.mark.parametrize("repeats", [(1, 2), (3, 1), (2, 2)])
def test_what_was_learnt_holds_for_maps_of_another_size(repeats):
    """A map of the same pixels, only more of them, is the same scene."""
    module, x = trained(), maps(20)
    more = x.repeat(1, 1, *repeats)
    assert_close(module.encode(more), module.encode(x), "float64")
    assert_close(module.deploy()(more), module(x).repeat(1, 1, *repeats), "float64")


def test_an_exported_graph_knows_the_size_too():
    module = trained().float()
    model, _ = rewritten(exported(module.deploy(), (2, 8, 20, 20), dynamic=True))
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    for size in (20, 33):
        x = maps(size).float()
        (got,) = session.run(None, {"x": x.numpy()})
        assert error(got, module(x).detach().numpy()) <= TOLERANCE["float32"]


@pytest.mark.parametrize("size", [10, 20, 40])
def test_training_on_maps_of_another_size_is_the_papers_too(size):
    """Also what it learns: sums of maps of 20 × 20 as they would be, instead of those of this size."""
    module = trained().train()
    paper = paste(module)
    before = {name: value.clone() for name, value in module.norm.state_dict().items()}
    assert_close(module(maps(size, seed=5)), paper(maps(size, seed=5)), "float64")
    unit = (20 / size) ** 2
    for name, factor in (("running_mean", unit), ("running_var", unit**2)):
        rest = before[name] * 0.9
        assert_close(getattr(module.norm, name) - rest, (getattr(paper.norm, name) - rest) * factor, "float64")


def test_the_moving_averages_know_the_size_too():
    """Ultralytics copies the model, trains one, and moves the other's tensors that are floats."""
    model = make("EncNet", {}, 8).double()
    ema = copy.deepcopy(model).eval()
    model.train()(maps(20))
    for mine, theirs in zip(ema.state_dict().values(), model.state_dict().values(), strict=True):
        if mine.dtype.is_floating_point:
            mine.copy_(theirs)
    x = maps(20)
    assert_close(ema.encode(x.repeat(1, 1, 2, 3)), ema.encode(x), "float64")


def test_the_size_goes_with_pickles_and_state_dicts():
    module, file = trained(), io.BytesIO()
    torch.save(module.state_dict(), file)
    file.seek(0)
    loaded = EncNet(8).double().eval()
    loaded.load_state_dict(torch.load(file, weights_only=True))
    x = maps(33)
    for other in (loaded, pickle.loads(pickle.dumps(module)), copy.deepcopy(module)):
        assert torch.equal(other(x), module(x))


def test_statistics_beyond_fp16_survive_a_half_checkpoint():
    module = trained(80).float()
    assert module.norm.running_var.max() > 65504
    half = pickle.loads(pickle.dumps(copy.deepcopy(module).half()))
    assert half.project[0].weight.dtype == torch.float16
    for mine, theirs in zip(half.norm.state_dict().values(), module.norm.state_dict().values(), strict=True):
        assert torch.equal(mine, theirs)
    deployed = copy.deepcopy(module).half().deploy()
    assert {t.dtype for t in deployed.state_dict().values()} == {torch.float16}
    x = maps(80).float()
    assert_close(half.eval()(x.half()).float(), module(x), "float16")
    assert_close(deployed(x.half()).float(), module(x), "float16")


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_mixed_precision_sums_in_single(dtype):
    module, single = (make("EncNet", {}, 8).train() for _ in range(2))
    x = maps(80).float()
    with torch.autocast("cpu", dtype):
        y = module(x.to(dtype))
    assert_close(y.float(), single(x), str(dtype).removeprefix("torch."))
    assert module.norm.running_var.dtype == torch.float32
    off = (module.norm.running_var / single.norm.running_var - 1).abs().max()
    assert off < 0.05  # in fp16 they would be infinite


def as_in_0_1_0(module: EncNet) -> EncNet:
    """Returns `module` as version 0.1.0 has it: a batch norm as the others."""
    module.norm.__class__ = BatchNorm2d
    del module.norm.size
    return module


def written_out_as_in_0_1_0(module: EncNet, x: torch.Tensor) -> torch.Tensor:
    """Returns e with K times the mean in place of the sum, and the batch norm's eps beside that."""
    f = module.project(x).flatten(2).transpose(1, 2)
    residuals = f.unsqueeze(2) - module.codewords[0]
    share = (module.scale * residuals.square().sum(3)).softmax(2)
    means = (share.unsqueeze(3) * residuals).mean(1) * module.codes
    return nn.functional.batch_norm(means, *vars_of(module.norm)).relu().mean(1)


def vars_of(norm: nn.BatchNorm2d) -> tuple:
    return norm.running_mean, norm.running_var, norm.weight, norm.bias, False, 0.1, norm.eps


@pytest.mark.parametrize("size", [7, 40])
def test_a_pickle_of_0_1_0_computes_what_it_did(size):
    module = make("EncNet", {"codes": 4}, 8).double()
    module.norm.running_var *= 1e-5  # where that version's eps counts
    old = pickle.dumps(as_in_0_1_0(copy.deepcopy(module)))
    read, x = pickle.loads(old), maps(size)
    assert isinstance(read.norm, SumNorm)
    assert_close(read.encode(x), written_out_as_in_0_1_0(module, x), "float64")
    assert_close(read.deploy()(x), read(x), "float64")


def test_a_deploy_form_of_0_1_0_computes_what_it_did():
    module = make("EncNet", {"codes": 4}, 8).double()
    module.norm.size = MapSize(4)
    old = module.deploy()
    vars(old.gates[0]).pop("of_sums")
    assert_close(pickle.loads(pickle.dumps(old))(maps(7)), module(maps(7)), "float64")


def test_a_state_dict_of_0_1_0_computes_what_it_did():
    module = make("EncNet", {"codes": 4}, 8).double()
    state = module.state_dict()
    del state._metadata[""]["pixels"]
    read = EncNet(8, codes=4).double().eval()
    read.load_state_dict(state)
    assert_close(read.encode(maps(9)), written_out_as_in_0_1_0(module, maps(9)), "float64")
