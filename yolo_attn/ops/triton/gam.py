"""GAM's channel part in training on CUDA: two small products of matrices and the gate in one pass over the map.

    forward     x → y = x · (scale · σ(W2 relu(W1 x + b1) + b2) + shift), and the hidden map, C/r channels wide
    backward    dy, x, hidden → dx, dz, dhidden, from which PyTorch's products make the gradients of W1 and W2

A program takes some pixels of an image and walks over the channels twice: once for the hidden map, once for the gate.
x is read from memory once, the second walk finds it in the cache. scale and shift are 1 and 0, or after an identity
start the share and 1 - share. dz, the gradient before the gate's σ, is the one full-size tensor beside dx that is
written: the gradient of W2 sums over all pixels, and no program sees them all.
"""

from collections.abc import Iterable

import torch
import triton
import triton.language as tl
from torch import Tensor

from yolo_attn.ops.triton.relay import dense, map_tile


def gam_channel(x: Tensor, perceptron: Iterable[Tensor], sigmoid: bool, share: Tensor | None) -> Tensor:
    """Returns x · gate. The perceptron's weights and biases are its 1×1 convolutions'; `sigmoid` False: a raw gate."""
    w1, b1, w2, b2 = (parameter.to(x.dtype) for parameter in perceptron)
    like = x.new_zeros(1, dtype=torch.float32)
    scale, shift = (like + 1, like) if share is None else (share.view(1).float(), 1 - share.view(1).float())
    return gam_gate(x, w1.flatten(1), b1, w2.flatten(1), b2, scale, shift, sigmoid)[0]


def blocks(x: Tensor, hidden: int) -> tuple[int, int, int]:
    """Returns hidden channels, channels and pixels of a program's tiles; a product of matrices needs 16 of each."""
    block_h = max(16, triton.next_power_of_2(hidden))
    block_p = 64 if block_h <= 64 else 32
    return block_h, min(64, max(16, triton.next_power_of_2(x.shape[1]))), block_p


def hidden_like(x: Tensor, hidden: int) -> Tensor:
    """Returns an empty map with `hidden` channels that lies as x does."""
    return torch.empty_like(x[:, :1].expand(-1, hidden, -1, -1), memory_format=layout(x))


def layout(x: Tensor) -> torch.memory_format:
    """Returns whether channels or pixels lie side by side."""
    return torch.channels_last if x.stride(1) == 1 and x.stride(3) != 1 else torch.contiguous_format


@torch.library.custom_op("yolo_attn::gam_gate", mutates_args=())
def gam_gate(
    x: Tensor, w1: Tensor, b1: Tensor, w2: Tensor, b2: Tensor, scale: Tensor, shift: Tensor, sigmoid: bool
) -> tuple[Tensor, Tensor]:
    """Returns y and the hidden map, which the backward pass reads."""
    y, hidden = like_x(x, w1, b1, w2, b2, scale, shift, sigmoid)
    (n, c, h, w), (block_h, block_c, block_p) = x.shape, blocks(x, len(w1))
    weights = [tensor.contiguous() for tensor in (w1, b1, w2, b2)]
    with torch.cuda.device_of(x):
        gate_kernel[(triton.cdiv(h * w, block_p), n)](
            x, *x.stride(), y, *y.stride(), hidden, *hidden.stride(), *weights, scale, shift,
            c, len(w1), h * w, w, dense(x, y, hidden), sigmoid, block_h, block_c, block_p,
        )  # fmt: skip
    return y, hidden


@gam_gate.register_fake
def like_x(
    x: Tensor, w1: Tensor, b1: Tensor, w2: Tensor, b2: Tensor, scale: Tensor, shift: Tensor, sigmoid: bool
) -> tuple[Tensor, Tensor]:
    return torch.empty_like(x), hidden_like(x, w1.shape[0])


@triton.jit
def gate_kernel(
    x, xn, xc, xh, xw, y, yn, yc, yh, yw, hidden, hn, hc, hh, hw, w1, b1, w2, b2, scale, shift,
    channels, narrow, pixels, width, DENSE: tl.constexpr, SIGMOID: tl.constexpr,
    BLOCK_H: tl.constexpr, BLOCK_C: tl.constexpr, BLOCK_P: tl.constexpr,
):  # fmt: skip
    n, p = tl.program_id(1), tl.program_id(0) * BLOCK_P + tl.arange(0, BLOCK_P)
    i = tl.arange(0, BLOCK_H)
    r = tl.zeros([BLOCK_H, BLOCK_P], tl.float32)
    for start in range(0, channels, BLOCK_C):
        c = start + tl.arange(0, BLOCK_C)
        inside = (c < channels)[:, None] & (p < pixels)[None, :]
        value = tl.load(map_tile(x, n, c, p, width, xn, xc, xh, xw, DENSE), inside, other=0.0)
        known = (i < narrow)[:, None] & (c < channels)[None, :]
        weight = tl.load(w1 + i[:, None] * channels + c[None, :], known, other=0.0)
        r = tl.dot(weight, value, r, input_precision="ieee")
    r = tl.maximum(r + tl.load(b1 + i, i < narrow, other=0.0).to(tl.float32)[:, None], 0.0).to(x.dtype.element_ty)
    inside = (i < narrow)[:, None] & (p < pixels)[None, :]
    tl.store(map_tile(hidden, n, i, p, width, hn, hc, hh, hw, DENSE), r, inside)
    factor, rest = tl.load(scale), tl.load(shift)
    for start in range(0, channels, BLOCK_C):
        c = start + tl.arange(0, BLOCK_C)
        inside = (c < channels)[:, None] & (p < pixels)[None, :]
        gate = channel_gate(r, w2, b2, i, c, channels, narrow, SIGMOID)
        value = tl.load(map_tile(x, n, c, p, width, xn, xc, xh, xw, DENSE), inside, other=0.0).to(tl.float32)
        tl.store(map_tile(y, n, c, p, width, yn, yc, yh, yw, DENSE), value * (factor * gate + rest), inside)


@triton.jit
def second_weight(w2, i, c, channels, narrow):
    """Returns a tile of W2, channels by hidden channels."""
    known = (c < channels)[:, None] & (i < narrow)[None, :]
    return tl.load(w2 + c[:, None] * narrow + i[None, :], known, other=0.0)


@triton.jit
def channel_gate(r, w2, b2, i, c, channels, narrow, SIGMOID: tl.constexpr):
    """Returns σ(W2 r + b2) of some channels, or the sum itself."""
    gate = tl.dot(second_weight(w2, i, c, channels, narrow), r, input_precision="ieee")
    gate += tl.load(b2 + c, c < channels, other=0.0).to(tl.float32)[:, None]
    return tl.sigmoid(gate) if SIGMOID else gate


@torch.library.custom_op("yolo_attn::gam_gate_backward", mutates_args=())
def gam_gate_backward(
    dy: Tensor, x: Tensor, hidden: Tensor, w1: Tensor, w2: Tensor, b2: Tensor, scale: Tensor, shift: Tensor,
    sigmoid: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:  # fmt: skip
    """Returns dx, dz, dhidden, and the gradients of b1, b2, scale and shift, summed over a program's pixels first."""
    (n, c, h, w), (block_h, block_c, block_p), narrow = x.shape, blocks(x, len(w1)), len(w1)
    tiles = triton.cdiv(h * w, block_p)
    dx, dz, dhidden = torch.empty_like(x), torch.empty_like(x), torch.empty_like(hidden)
    parts = [x.new_empty(tiles, n, size, dtype=torch.float32) for size in (narrow, c, 2)]
    weights = [tensor.contiguous() for tensor in (w1, w2, b2)]
    with torch.cuda.device_of(x):
        gate_backward_kernel[(tiles, n)](
            dy, *dy.stride(), x, *x.stride(), hidden, *hidden.stride(), dx, *dx.stride(), dz, *dz.stride(),
            dhidden, *dhidden.stride(), *weights, scale, shift, *parts, n, c, narrow, h * w, w,
            dense(dy, x, hidden, dx, dz, dhidden), sigmoid, block_h, block_c, block_p,
        )  # fmt: skip
    db1, db2, blend = (part.sum((0, 1)) for part in parts)
    return dx, dz, dhidden, db1.to(b2.dtype), db2.to(b2.dtype), blend[:1].clone(), blend[1:].clone()


@gam_gate_backward.register_fake
def like_all(
    dy: Tensor, x: Tensor, hidden: Tensor, w1: Tensor, w2: Tensor, b2: Tensor, scale: Tensor, shift: Tensor,
    sigmoid: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:  # fmt: skip
    maps = torch.empty_like(x), torch.empty_like(x), torch.empty_like(hidden)
    return *maps, b2.new_empty(w1.shape[0]), b2.new_empty(x.shape[1]), scale.new_empty(1), shift.new_empty(1)


@triton.jit
def gate_backward_kernel(
    dy, gn, gc, gh, gw, x, xn, xc, xh, xw, hidden, hn, hc, hh, hw, dx, on, oc, oh, ow, dz, zn, zc, zh, zw,
    dhidden, rn, rc, rh, rw, w1, w2, b2, scale, shift, parts_b1, parts_b2, parts_blend,
    images, channels, narrow, pixels, width, DENSE: tl.constexpr, SIGMOID: tl.constexpr,
    BLOCK_H: tl.constexpr, BLOCK_C: tl.constexpr, BLOCK_P: tl.constexpr,
):  # fmt: skip
    n, p = tl.program_id(1), tl.program_id(0) * BLOCK_P + tl.arange(0, BLOCK_P)
    i = tl.arange(0, BLOCK_H)
    known = (i < narrow)[:, None] & (p < pixels)[None, :]
    r = tl.load(map_tile(hidden, n, i, p, width, hn, hc, hh, hw, DENSE), known, other=0.0)
    factor, rest = tl.load(scale), tl.load(shift)
    dr = tl.zeros([BLOCK_H, BLOCK_P], tl.float32)
    d_scale, d_shift = tl.zeros([BLOCK_P], tl.float32), tl.zeros([BLOCK_P], tl.float32)
    part = tl.program_id(0) * images + n
    for start in range(0, channels, BLOCK_C):
        c = start + tl.arange(0, BLOCK_C)
        inside = (c < channels)[:, None] & (p < pixels)[None, :]
        gate = channel_gate(r, w2, b2, i, c, channels, narrow, SIGMOID)
        product = tl.load(map_tile(x, n, c, p, width, xn, xc, xh, xw, DENSE), inside, other=0.0).to(tl.float32)
        product *= tl.load(map_tile(dy, n, c, p, width, gn, gc, gh, gw, DENSE), inside, other=0.0).to(tl.float32)
        d_scale += tl.sum(product * gate, 0)
        d_shift += tl.sum(product, 0)
        product *= factor
        if SIGMOID:
            product *= gate * (1 - gate)
        tl.store(parts_b2 + part * channels + c, tl.sum(product, 1), c < channels)
        rounded = product.to(x.dtype.element_ty)
        tl.store(map_tile(dz, n, c, p, width, zn, zc, zh, zw, DENSE), rounded, inside)
        weight = tl.trans(second_weight(w2, i, c, channels, narrow))
        dr = tl.dot(weight, rounded, dr, input_precision="ieee")
    tl.store(parts_blend + part * 2, tl.sum(d_scale, 0))
    tl.store(parts_blend + part * 2 + 1, tl.sum(d_shift, 0))
    dr = tl.where(r.to(tl.float32) > 0, dr, 0.0)
    tl.store(parts_b1 + part * narrow + i, tl.sum(dr, 1), i < narrow)
    rounded = dr.to(x.dtype.element_ty)
    tl.store(map_tile(dhidden, n, i, p, width, rn, rc, rh, rw, DENSE), rounded, known)
    for start in range(0, channels, BLOCK_C):
        c = start + tl.arange(0, BLOCK_C)
        inside = (c < channels)[:, None] & (p < pixels)[None, :]
        gate = channel_gate(r, w2, b2, i, c, channels, narrow, SIGMOID)
        value = tl.load(map_tile(dy, n, c, p, width, gn, gc, gh, gw, DENSE), inside, other=0.0).to(tl.float32)
        weight = tl.load(
            w1 + i[None, :] * channels + c[:, None], (c < channels)[:, None] & (i < narrow)[None, :], other=0.0
        )
        value = tl.dot(weight, rounded, value * (factor * gate + rest), input_precision="ieee")
        tl.store(map_tile(dx, n, c, p, width, on, oc, oh, ow, DENSE), value, inside)


def gate_context(ctx, inputs, output):
    x, w1, _, w2, b2, scale, shift, ctx.sigmoid = inputs
    ctx.save_for_backward(x, output[1], w1, w2, b2, scale, shift)


def gate_backward(ctx, dy, _):
    x, hidden, w1, w2, b2, scale, shift = ctx.saved_tensors
    dx, dz, dhidden, db1, db2, d_scale, d_shift = gam_gate_backward(
        dy, x, hidden, w1, w2, b2, scale, shift, ctx.sigmoid
    )
    return dx, weight_gradient(dhidden, x), db1, weight_gradient(dz, hidden), db2, d_scale, d_shift, None


def weight_gradient(outputs: Tensor, inputs: Tensor) -> Tensor:
    """Returns Σ over images and pixels of d(output) · input, as a matrix."""
    products = outputs.flatten(2) @ inputs.flatten(2).transpose(1, 2)
    return products.sum(0, dtype=torch.float32).to(outputs.dtype)


gam_gate.register_autograd(gate_backward, setup_context=gate_context)
