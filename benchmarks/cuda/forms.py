"""The forms of an operator that are counted, checked and timed: pasted, ours, compiled, on kernels, timm's twin."""

import contextlib
import copy
from collections.abc import Iterator

import torch
from torch import nn

from tests.support.operators import make
from tests.support.pasted import paste
from yolo_attn.ops import choice

GAM_PART = "GAM channel part"
OPERATORS = ("CBAM", "CoordAtt", GAM_PART, "TripletAttention", "SE", "ECA")
WITH_KERNELS = OPERATORS[:4]


class ChannelPart(nn.Module):
    """GAM without its spatial gate, whose 7×7 convolutions are bound by arithmetic and not by memory."""

    def __init__(self, gam: nn.Module, pasted: bool):
        super().__init__()
        self.gate = gam.channel_attention
        self.pasted = pasted

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not self.pasted:
            return x * self.gate(x)
        n, c, h, w = x.shape
        gate = self.gate(x.permute(0, 2, 3, 1).reshape(n, -1, c)).reshape(n, h, w, c).permute(0, 3, 1, 2)
        return x * gate.sigmoid()


class KernelPart(nn.Module):
    """GAM's channel part on its kernel."""

    def __init__(self, gate: nn.Module):
        super().__init__()
        self.gate = gate

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        from yolo_attn.ops.triton.gam import gam_channel

        return gam_channel(x, self.gate.parameters(), True, None)


def forms(name: str, channels: int) -> tuple[nn.Module, nn.Module]:
    """Returns an operator as pasted and ours, in training, with the same weights."""
    if name == GAM_PART:
        gam = make("GAM", {}, channels)
        return ChannelPart(paste(gam), True).train(), ChannelPart(gam, False).train()
    ours = make(name, {}, channels).train()
    return paste(ours), ours


def timm_twin(name: str, channels: int) -> nn.Module | None:
    """Returns timm's module of the same kind, where timm has one; its mathematics may differ a little."""
    try:
        from timm.layers import EcaModule, SEModule
        from timm.layers.cbam import CbamModule
    except ImportError:
        return None
    twins = {"SE": SEModule, "ECA": EcaModule, "CBAM": CbamModule}
    return twins[name](channels) if name in twins else None


def providers(name: str, channels: int) -> dict[str, nn.Module]:
    """Returns the modules to compare, in training, not yet compiled, on the CPU."""
    pasted, ours = forms(name, channels)
    found: dict[str, nn.Module] = {"pasted": pasted, "eager": ours}
    for mode in ("default", "max-autotune-no-cudagraphs"):  # the graph is ours, for every provider alike
        found["compiled" if mode == "default" else "max-autotune"] = compiled(ours, mode)
    if (twin := timm_twin(name, channels)) is not None:
        found["timm compiled"] = compiled(twin.train(), "default")
    if name in WITH_KERNELS:
        kernels = copy.deepcopy(ours)
        kernels = KernelPart(kernels.gate) if isinstance(kernels, ChannelPart) else kernels
        found |= {"kernels": kernels, "kernels compiled": compiled(kernels, "default")}
    return found


def compiled(module: nn.Module, mode: str) -> nn.Module:
    return torch.compile(copy.deepcopy(module), mode=mode, fullgraph=True, dynamic=False)  # type: ignore[return-value]


@contextlib.contextmanager
def implementation(provider: str) -> Iterator[None]:
    """Lets the operators run as a provider's name says."""
    choice.use("triton" if provider.startswith("kernels") else "eager")
    try:
        yield
    finally:
        choice.use("eager")
