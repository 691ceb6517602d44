"""EncNet's context encoding module."""

from typing import ClassVar

import torch
from torch import nn

from yolo_attn.errors import AttentionError
from yolo_attn.nn.base import Attention
from yolo_attn.nn.info import AttentionInfo
from yolo_attn.nn.layers import BatchNorm2d, ReLU
from yolo_attn.nn.shared import affine, at_least_float32, finite, fold_all, root_sum_square
from yolo_attn.nn.sumnorm import MapSize, SumNorm


class EncNet(Attention):
    """A channel gate from the context of the scene: x · (1 + σ(W e)), e the pixels' spread around K learnt codewords.

    Zhang et al., "Context Encoding for Semantic Segmentation", CVPR 2018, arXiv 1803.08904:
    f = ReLU(BN(conv 1×1 x)), a_ik = softmax over k of s_k ‖f_i − d_k‖² (s starts below 0), e_k = Σ_i a_ik (f_i − d_k),
    e = mean over k of ReLU(BN(e_k)).

    The N × K × C differences are never made: ‖f‖² − 2 f·d + ‖d‖² and Σ a f − (Σ a) d are the same numbers. State dicts
    of the authors' `EncModule` (zhanghang1989/PyTorch-Encoding) load; their classifier of the loss is left out.

    Start: the authors', codewords in ±1/√(K C), s in −1 … 0, layers as torch starts them.

    Differs from the paper:
        - No ReLU behind the gate: it would clip the negative values of SiLU features.
        - A sum grows with the map, and statistics of it hold for one size. Here they are those of the maps that
          training began on, and evaluation brings the sums of a map of another size to that. Where no training is
          known of, as behind the authors' weights, sums count as they are.

    In training, where labels say which classes are in an image, the paper's semantic-encoding loss asks e for them
    (`yolo_attn.upstream.presence`). Its classifier exists in the training model alone: no copy of this module has it.

    Args:
        channels: Channels C of the map.
        codes: K, the number of codewords.
        loss_weight: Weight of the semantic-encoding loss; 0 trains without it.
    """

    gates: ClassVar = ("context_attention",)
    renamed: ClassVar = {
        "encoding.0.": "project.0.",
        "encoding.1.": "project.1.",
        "encoding.3.": "",
        "encoding.4.": "norm.",
        "fc.0.": "fc.",
        "selayer.": None,
    }
    training_options: ClassVar = ("loss_weight",)

    def __init__(self, channels: int, codes: int = 32, loss_weight: float = 0.2):
        super().__init__(channels)
        if codes < 1:
            raise AttentionError(f"EncNet needs at least one code, got {codes}; set {{codes: 32}}")
        if loss_weight < 0:
            raise AttentionError(f"EncNet's loss_weight is 0 or more, got {loss_weight}; set {{loss_weight: 0.2}}")
        self.codes, self.loss_weight = codes, loss_weight
        self.project = nn.Sequential(nn.Conv2d(channels, channels, 1, bias=False), BatchNorm2d(channels), ReLU())
        # Points in space, no linear map: with two dimensions only, the optimizer MuSGD would orthogonalise them.
        bound = (codes * channels) ** -0.5
        self.codewords = nn.Parameter(torch.empty(1, codes, channels).uniform_(-bound, bound))
        self.scale = nn.Parameter(torch.empty(codes).uniform_(-1, 0))
        self.norm = SumNorm(codes)
        self.fc = nn.Conv2d(channels, channels, 1)
        self.presence: nn.Module | None = None

    def __getstate__(self) -> dict:
        """Leaves the classifier of the training loss out of every copy and pickle."""
        return {**self.__dict__, "_modules": {**self._modules, "presence": None}}

    def __setstate__(self, state: dict) -> None:
        """Reads a pickle of version 0.1.0, whose statistics are those of K times the mean: a map of K pixels."""
        super().__setstate__(state)
        if not isinstance(self.norm, SumNorm):
            self.norm.__class__ = SumNorm
            self.norm.size = MapSize(self.codes)

    def _save_to_state_dict(self, destination, prefix, keep_vars):
        super()._save_to_state_dict(destination, prefix, keep_vars)
        destination._metadata[prefix[:-1]]["pixels"] = self.norm.size.pixels

    def _load_from_state_dict(self, state_dict, prefix, local_metadata, *args):
        codewords = state_dict.get(f"{prefix}encoding.3.codewords", state_dict.get(f"{prefix}codewords"))
        if codewords is not None and codewords.ndim == 2:  # the authors'
            self.norm.size.pixels = 0
        elif local_metadata:  # as `state_dict` writes it; version 0.1.0 did not know of a size
            self.norm.size.pixels = local_metadata.get("pixels", self.codes)
        super()._load_from_state_dict(state_dict, prefix, local_metadata, *args)

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        """Returns the context vector e, `(N, C)`."""
        x = self.project(x)
        codewords, pixels = self.codewords[0], x.shape[2] * x.shape[3]
        dot = nn.functional.conv2d(x, codewords[:, :, None, None])
        distance = root_sum_square(x, (1,), self.training).square() - 2 * dot + codewords.square().sum(1).view(-1, 1, 1)
        residuals = aggregate(x, self.scale.view(-1, 1, 1) * distance, codewords, pixels)
        # Summed up as means, which fit half precision; the sums and their squares do not.
        sums = residuals.transpose(1, 2).unsqueeze(3).to(at_least_float32(residuals)) * (pixels / self.codes)
        return finite(self.norm(sums, pixels).relu().mean(1).squeeze(2), x.dtype)

    def context_attention(self, x: torch.Tensor) -> torch.Tensor:
        """`(N, C, H, W)` → `(N, C, 1, 1)`."""
        encoding = self.encode(x)
        if self.training and self.presence is not None:
            self.presence(encoding)  # the training loss reads what it says
        return 1 + self.fc(encoding[:, :, None, None]).sigmoid()

    def follow(self, source: nn.Module) -> None:
        """Takes over which maps the statistics of `source` are of."""
        if isinstance(source, EncNet):
            self.norm.size.pixels = source.norm.size.pixels

    def deploy_gates(self) -> list[nn.Module]:
        return [ContextGate(self)]


INFO = AttentionInfo(
    name="EncNet",
    cls=EncNet,
    kind="channel",
    title="spread around learnt codewords; adds a loss on the classes present",
    paper="1803.08904",
    year=2018,
    positional=(),
    aliases=("EncModule", "ContextEncoding"),
)


class ContextGate(nn.Module):
    """The context encoding for inference: batch norms folded, distances from one convolution."""

    scale: torch.Tensor
    codewords: torch.Tensor
    weight: torch.Tensor
    bias: torch.Tensor
    of_sums = False  # whether `weight` is that of the sums; else that of K times the mean

    def __init__(self, source: EncNet):
        super().__init__()
        codewords, scale = source.codewords[0].detach(), source.scale.detach()
        self.project, self.fc = fold_all(source.project), source.fc
        self.assign = nn.Conv2d(source.channels, source.codes, 1)
        self.assign.weight = nn.Parameter((-2 * scale.unsqueeze(1) * codewords)[:, :, None, None])
        self.assign.bias = nn.Parameter(scale * codewords.square().sum(1))
        weight, bias = affine(source.norm)
        if size := source.norm.size.pixels:
            weight = weight * (size / source.codes)
        self.of_sums = not size
        buffers = {"scale": scale.view(-1, 1, 1), "codewords": codewords, "weight": weight, "bias": bias}
        for name, value in buffers.items():
            self.register_buffer(name, value.to(codewords.dtype))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.project(x)
        pixels = x.shape[2] * x.shape[3]
        logits = self.scale * root_sum_square(x, (1,), self.training).square() + self.assign(x)
        residuals = aggregate(x, logits, self.codewords, pixels)
        weight = self.weight * (pixels / len(self.weight)) if self.of_sums else self.weight
        encoding = finite((residuals * weight + self.bias).relu().mean(2), x.dtype)
        return 1 + self.fc(encoding[:, :, None, None]).sigmoid()


def aggregate(x: torch.Tensor, logits: torch.Tensor, codewords: torch.Tensor, pixels: int) -> torch.Tensor:
    """Returns K · mean over the pixels of a_k · (x − d_k), `(N, C, K)`, from `logits` `(N, K, H, W)` of a."""
    # Shares below e⁻⁶⁰ change nothing, but a CPU takes many times as long for numbers near the smallest it can write.
    logits = (logits - logits.detach().amax(1, keepdim=True)).clamp(min=-60)
    share = logits.softmax(1) * (codewords.shape[0] / pixels)
    mass = share.sum((2, 3)).unsqueeze(1).to(x.dtype)
    # In this order the map x stays as it lies, and only the K assignments are transposed.
    return x.flatten(2) @ share.to(x.dtype).flatten(2).transpose(1, 2) - codewords.t() * mass
