"""What every attention operator shares: x ← x · g(x) for one gate after another, and the deploy form of it."""

import copy
import functools
import inspect
from collections.abc import Callable, Iterable
from typing import ClassVar

import torch
from torch import nn

from yolo_attn.errors import AttentionError
from yolo_attn.nn.layers import never_in_place


class Attention(nn.Module):
    """Attention in the survey's general form f(g(x), x), where f multiplies: x ← x · g(x) for each gate g in turn.

    Guo et al., "Attention mechanisms in computer vision: A survey", 2022, equation 1. An operator names its gates
    (methods or submodules) in `gates`; each maps `(N, C, H, W)` to a tensor that broadcasts against it. An operator
    that is no gate overrides `forward`. Every option of `__init__` is kept as an attribute of the same name.

    `start_as_identity` makes each gate g into 1 + a · (g − 1), with one learnt number a per gate, 0 to begin with: the
    network starts as the one that the attention was put into, and `blend` shows how much of each gate it has taken up.

    Shapes: `(N, C, H, W)` → `(N, C, H, W)`, any H, W ≥ 1.

    Raises:
        AttentionError: `channels` is not a positive whole number, or an option does not fit it.
    """

    gates: ClassVar[tuple[str, ...]] = ()
    starts_as_identity: ClassVar[bool] = False  # True: the paper's own initialisation is the identity
    renamed: ClassVar[dict[str, str | None]] = {}  # how the authors' names begin, and how ours; None leaves them out
    training_options: ClassVar[tuple[str, ...]] = ()  # of the options, those that no output hangs on
    detached: ClassVar[tuple[str, ...]] = ()  # parameters that forward reads without a gradient, too, as its paper does
    registered: ClassVar[tuple[str, str] | None] = None  # somebody's own: its name and where it is defined
    blend: nn.Parameter | None

    def __init__(self, channels: int):
        super().__init__()
        # The channels come from Ultralytics' parser; were they ever a string, a wrong network would be built silently.
        if not isinstance(channels, int) or isinstance(channels, bool) or channels < 1:
            raise AttentionError(f"channels of {type(self).__name__} must be a positive whole number, got {channels!r}")
        self.channels = channels
        self.register_parameter("blend", None)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return multiply_gates(x, self.blended_gates())

    def blended_gates(self) -> list[Callable[[torch.Tensor], torch.Tensor]]:
        """Returns the gates as `forward` multiplies them, each blended with 1 after an identity start."""
        gates = [getattr(self, name) for name in self.gates]
        if self.blend is None:
            return gates
        return [functools.partial(blended, gate, share) for gate, share in zip(gates, self.shares(), strict=True)]

    def shares(self) -> list[torch.Tensor | None]:
        """Returns the share of each gate, None where it counts in full."""
        return [None] * len(self.gates) if self.blend is None else list(self.blend)

    def start_as_identity(self) -> None:
        """Makes the operator the identity, which training turns into attention.

        The parameter `blend` is new then: call it before an optimizer is built. Where the paper's own start is the
        identity, nothing changes.
        """
        if self.gates and not self.starts_as_identity:
            self.blend = self.no_share(len(self.gates))

    def like(self) -> torch.Tensor:
        """Returns a tensor that is where the operator's numbers are, and of their type; an operator may have none."""
        return next(iter([*self.parameters(), *self.buffers()]), torch.empty(0))

    def no_share(self, count: int) -> nn.Parameter:
        """Returns `count` shares of 0 for training to change, where and in the type that the operator's numbers are."""
        return nn.Parameter(torch.zeros(count, device=self.like().device, dtype=self.like().dtype))

    def gate(self, x: torch.Tensor) -> torch.Tensor:
        """Returns the product of the gates: what `x` is multiplied by, broadcastable to `(N, C, H, W)`.

        Raises:
            AttentionError: The operator is no gate.
        """
        product = None
        for function in self.blended_gates():
            gate = function(x)
            x = x * gate
            product = gate if product is None else product * gate
        if product is None:
            raise AttentionError(f"{type(self).__name__} adds to the map instead of multiplying it: it has no gate")
        return product

    def deploy(self) -> nn.Module:
        """Returns an equivalent module for inference and export; this one is left as it is."""
        twin = copy.deepcopy(self).eval()
        if type(self).deploy_gates is Attention.deploy_gates:  # somebody's own operator, which gave no other form
            return DeployedTransform(twin, None, self.describe()).eval().requires_grad_(False)
        gates = twin.deploy_gates()
        if twin.blend is not None:
            gates = [BlendedGate(gate, share) for gate, share in zip(gates, twin.blend.detach(), strict=True)]
        return Deployed(gates, self.describe()).to(self.like().device).eval().requires_grad_(False)

    def deploy_gates(self) -> list[nn.Module]:
        """Returns the gates as modules with every batch norm folded and every layout change gone."""
        raise NotImplementedError(f"{type(self).__name__} has no deploy form")  # `deploy` does not ask then

    def follow(self, source: nn.Module) -> None:
        """Takes over from the operator whose tensors were loaded what is no tensor: nothing, in most."""

    @classmethod
    def options(cls) -> dict[str, object]:
        """Returns the options a model YAML row may set, with their defaults."""
        parameters = list(inspect.signature(cls).parameters.values())
        return {parameter.name: parameter.default for parameter in parameters[1:]}

    def describe(self) -> str:
        """Returns the operator with its options on one line, for instance `GAM(64, reduction=4, groups=1)`."""
        return f"{type(self).__name__}({self.extra_repr()})"

    def extra_repr(self) -> str:
        options = [f"{name}={getattr(self, name)}" for name in self.options()]
        return ", ".join([str(self.channels), *options, *(["start=identity"] if self.blend is not None else [])])

    def __setstate__(self, state: dict) -> None:
        """Reads a pickle from before `blend`, and from before activations that never write in place."""
        super().__setstate__(state)
        self._parameters.setdefault("blend", None)
        never_in_place(self)

    def _load_from_state_dict(self, state_dict, prefix, *args):
        """Reads the authors' state dicts too: under their names, and with axes of length 1 more or less than here."""
        for key in [key for key in state_dict if key.startswith(prefix)]:
            name = key.removeprefix(prefix)
            for theirs, ours in self.renamed.items():
                if name.startswith(theirs):
                    value = state_dict.pop(key)
                    if ours is not None:
                        state_dict[f"{prefix}{ours}{name.removeprefix(theirs)}"] = value
        for name, tensor in self.state_dict().items():
            value = state_dict.get(prefix + name, tensor)
            if value.shape != tensor.shape and value.squeeze().shape == tensor.squeeze().shape:
                state_dict[prefix + name] = value.reshape(tensor.shape)
        super()._load_from_state_dict(state_dict, prefix, *args)


class Transform(Attention):
    """Attention that is no gate, x ← f(x); after an identity start x + a · (f(x) − x) with one learnt a, 0 at first.

    An operator writes `transform`, which keeps the shape of its map, and `deploy_transform`, its form for inference.

    Shapes: `(N, C, H, W)` → `(N, C, H, W)`, any H, W ≥ 1.
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return moved(x, self.transform(x), self.shares()[0])

    def transform(self, x: torch.Tensor) -> torch.Tensor:
        """Returns f(x), of the shape of `x`."""
        raise NotImplementedError(f"{type(self).__name__} has no transform")

    def shares(self) -> list[torch.Tensor | None]:
        return [None] if self.blend is None else list(self.blend)

    def blended_gates(self) -> list[Callable[[torch.Tensor], torch.Tensor]]:
        return []

    def start_as_identity(self) -> None:
        if not self.starts_as_identity:
            self.blend = self.no_share(1)

    def deploy(self) -> nn.Module:
        twin = copy.deepcopy(self).eval()
        if type(self).deploy_transform is Transform.deploy_transform:  # as in `Attention.deploy`
            return DeployedTransform(twin, None, self.describe()).eval().requires_grad_(False)
        share = None if self.blend is None else self.blend.detach()[0].clone()
        return DeployedTransform(twin.deploy_transform(), share, self.describe()).eval().requires_grad_(False)

    def deploy_transform(self) -> nn.Module:
        """Returns f as a module with every batch norm folded and every layout change gone."""
        raise NotImplementedError(f"{type(self).__name__} has no deploy form")  # `deploy` does not ask then


class Deployed(nn.Module):
    """An attention operator for inference: the same gates, folded. `source` says which operator and options it was."""

    def __init__(self, gates: Iterable[nn.Module], source: str):
        super().__init__()
        self.gates = nn.ModuleList(gates)
        self.source = source

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return multiply_gates(x, self.gates)

    def extra_repr(self) -> str:
        return self.source

    def __setstate__(self, state: dict) -> None:
        """Reads a pickle from before activations that never write in place."""
        super().__setstate__(state)
        never_in_place(self)


class DeployedTransform(Deployed):
    """Attention that is no gate, for inference: `transform` is its form; `share` of it counts, all where it is None."""

    share: torch.Tensor | None

    def __init__(self, transform: nn.Module, share: torch.Tensor | None, source: str):
        super().__init__([], source)
        self.transform = transform
        self.register_buffer("share", share)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return moved(x, self.transform(x), self.share)


class BlendedGate(nn.Module):
    """A gate after an identity start, for inference: a · g + (1 − a), two operations on the gate."""

    scale: torch.Tensor
    shift: torch.Tensor

    def __init__(self, gate: nn.Module, share: torch.Tensor):
        super().__init__()
        self.gate = gate
        self.register_buffer("scale", share.clone())
        self.register_buffer("shift", 1 - share)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.gate(x) * self.scale + self.shift


def blended(gate: Callable[[torch.Tensor], torch.Tensor], share: torch.Tensor | None, x: torch.Tensor) -> torch.Tensor:
    """Returns the gate at `x`, blended with 1."""
    return mixed(gate(x), share)


def mixed(gate: torch.Tensor, share: torch.Tensor | None) -> torch.Tensor:
    """Returns 1 + share · (gate − 1), in the form that is exact at a share of 0 and of 1; without one, the gate."""
    return gate if share is None else gate * share + (1 - share)


def moved(x: torch.Tensor, y: torch.Tensor, share: torch.Tensor | None) -> torch.Tensor:
    """Returns x + share · (y − x), exactly x at a share of 0; without one, y."""
    return y if share is None else x + share * (y - x)


def operators(module: nn.Module) -> dict[str, nn.Module]:
    """Returns the attention operators within `module`, itself included, by their name in it, in deploy form or not.

    What an operator is made of is a part of it, attention or not.
    """
    if isinstance(module, (Attention, Deployed)):
        return {"": module}
    found: dict[str, nn.Module] = {}
    for name, child in module.named_children():
        found |= {f"{name}.{rest}" if rest else name: operator for rest, operator in operators(child).items()}
    return found


def multiply_gates(x: torch.Tensor, gates: Iterable[Callable[[torch.Tensor], torch.Tensor]]) -> torch.Tensor:
    """Applies x ← x · g(x) for each gate in turn."""
    for gate in gates:
        x = x * gate(x)
    return x


def hidden_channels(channels: int, reduction: int, operator: str) -> int:
    """Returns channels // reduction, the width of an operator's bottleneck.

    Raises:
        AttentionError: Nothing would be left of the channels.
    """
    if reduction < 1 or channels < reduction:
        raise AttentionError(
            f"{operator} cannot reduce {channels} channels by {reduction}; set {{reduction: {max(channels // 4, 1)}}}"
        )
    return channels // reduction
