"""What a training on CUDA asks of the operators, as far as a CPU can tell: mixed precision backwards, DDP.

The same on a GPU, through `yolo train`: `python -m benchmarks.cuda.training`.
"""

import copy
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.support.operators import CASES, IDS, make


@pytest.mark.parametrize(("name", "options"), CASES, ids=IDS)
def test_a_step_in_mixed_precision(name, options):
    """Every gradient is finite, in float32 for the weights, and for the map in the dtype it came in; channels last."""
    module, x = make(name, options).train(), torch.randn(2, 32, 7, 13, generator=torch.Generator().manual_seed(1))
    for dtype in (torch.bfloat16, torch.float32):  # an operator before may hand on either
        inputs = x.to(dtype, memory_format=torch.channels_last).requires_grad_()
        with torch.autocast("cpu", torch.bfloat16):
            y = module(inputs)
        (y.float().square().sum() * 1024).backward()  # scaled as a GradScaler does
        assert y.is_contiguous(memory_format=torch.channels_last)
        assert inputs.grad.dtype == dtype and inputs.grad.isfinite().all()
        assert inputs.grad.is_contiguous(memory_format=torch.channels_last)
        for key, parameter in module.named_parameters():
            assert parameter.grad.dtype == torch.float32 and parameter.grad.isfinite().all(), key


DISTRIBUTED = """
import sys, torch, torch.distributed as dist
from tests.support.operators import CASES, make
rank = int(sys.argv[1])
dist.init_process_group("gloo", init_method=sys.argv[2], rank=rank, world_size=2)
torch.set_num_threads(1)
net = torch.nn.Sequential(torch.nn.Conv2d(3, 32, 3), *(make(n, o) for n, o in CASES if not o)).train()
twin = torch.nn.parallel.DistributedDataParallel(net)
for step in range(2):
    torch.manual_seed(2 * step + rank)
    twin(torch.randn(2, 3, 12, 10)).square().mean().backward()
    for parameter in net.parameters():
        both = [torch.zeros_like(parameter.grad) for _ in range(2)]
        dist.all_gather(both, parameter.grad)
        assert torch.equal(*both) and both[0].isfinite().all()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter -= 1e-3 * parameter.grad
            parameter.grad = None
print("same")
"""


def test_ddp_of_two_processes(tmp_path):
    """Every operator in one network: both processes get the same gradients, and no parameter goes without."""
    store = f"file://{tmp_path / 'store'}"
    folder = Path(__file__).parents[2]
    ranks = [
        subprocess.Popen([sys.executable, "-W", "ignore", "-c", DISTRIBUTED, str(rank), store], cwd=folder, text=True,
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for rank in range(2)
    ]  # fmt: skip
    for rank in ranks:
        out, errors = rank.communicate(timeout=240)
        assert out.strip() == "same", errors[-2000:]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize(("name", "options"), CASES, ids=IDS)
def test_a_deterministic_step_on_a_gpu(name, options, recwarn, monkeypatch):
    """The same bits twice, without a warning of PyTorch, and the CPU's numbers."""
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # as Ultralytics does
    module, x = make(name, options).train(), torch.randn(2, 32, 14, 13, generator=torch.Generator().manual_seed(1))
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        seen = []
        for device in ("cpu", "cuda", "cuda"):
            twin, inputs = copy.deepcopy(module).double().to(device), x.double().to(device).requires_grad_()
            twin(inputs).square().sum().backward()
            seen.append([inputs.grad.cpu(), *(p.grad.cpu() for p in twin.parameters())])
    finally:
        torch.use_deterministic_algorithms(False)
    assert not [warning for warning in recwarn if "deterministic" in str(warning.message)]
    for cpu, first, second in zip(*seen, strict=True):
        assert torch.equal(first, second)
        assert (cpu - first).abs().max() <= 1e-8 * cpu.abs().max().clamp(min=1)
