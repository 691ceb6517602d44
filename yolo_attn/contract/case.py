"""What a check looks at: one operator with its options, on maps of so many channels."""

from dataclasses import dataclass, field

import torch
from torch import nn

from yolo_attn.nn import Attention, AttentionInfo, own

NORMS = nn.modules.batchnorm._BatchNorm


@dataclass(frozen=True, eq=False)
class Case:
    """An operator under check, built anew for each look, from the same seed: no check disturbs another."""

    info: AttentionInfo
    options: dict[str, object] = field(default_factory=dict)
    channels: int = 32

    def fresh(self, share: float | None = None, seed: int = 0) -> Attention:
        """Returns the operator as it is built, in training; with a `share` started as the identity, then blended."""
        torch.manual_seed(seed)
        module = self.info.cls(self.channels, **self.options)
        if share is not None:
            module.start_as_identity()
            if module.blend is not None:
                nn.init.constant_(module.blend, share)
        return module

    def module(self, seed: int = 0, share: float | None = None) -> Attention:
        """Returns the operator in evaluation, every number of it off its default: nothing cancels by luck.

        Args:
            seed: What its numbers are drawn from.
            share: How much of each gate counts after an identity start; None is the paper's form.
        """
        torch.manual_seed(seed)
        module = self.info.cls(self.channels, **self.options)
        with torch.no_grad():
            for parameter in module.parameters():
                parameter.add_(torch.randn_like(parameter) * 0.2)
            for norm in module.modules():
                if isinstance(norm, NORMS) and norm.running_mean is not None and norm.running_var is not None:
                    norm.running_mean.normal_(0, 0.3)
                    norm.running_var.uniform_(0.5, 2)
                    if norm.affine:
                        norm.weight.uniform_(0.5, 1.5)
        if share is not None and not module.starts_as_identity:
            module.start_as_identity()
            if module.blend is not None:
                nn.init.constant_(module.blend, share)
        return module.eval()

    def deployed(self, seed: int = 0, share: float | None = None) -> nn.Module:
        """Returns the form of `module(seed, share)` that `model.fuse()` puts in its place."""
        return deployed(self.module(seed, share))

    def taken(self, sizes: list[tuple[int, int]]) -> list[tuple[int, int]]:
        """Returns those of the sizes that the operator takes; of the others `shapes.py` tells."""
        return [
            size
            for size in sizes
            if self._takes(self.images(1, size), False) and self._takes(self.images(2, size), True)
        ]

    def _takes(self, x: torch.Tensor, training: bool) -> bool:
        try:
            y = self.module().train(training)(x)
            return y.shape == x.shape and bool(y.isfinite().all())
        except Exception:  # an operator of anybody's may raise anything
            return False

    def images(self, batch: int = 2, size: tuple[int, int] = (7, 13), seed: int = 1) -> torch.Tensor:
        """Returns the same random maps `(batch, channels, *size)` each time."""
        return images(batch, self.channels, size, seed)


def deployed(module: Attention) -> nn.Module:
    """Returns an operator's form for inference, somebody's own one in what pickles it by name."""
    return own.DeployedOwn(module) if module.registered else module.deploy()


def images(batch: int, channels: int, size: tuple[int, int], seed: int = 1) -> torch.Tensor:
    """Returns the same random maps `(batch, channels, *size)` each time."""
    return torch.randn(batch, channels, *size, generator=torch.Generator().manual_seed(seed))
