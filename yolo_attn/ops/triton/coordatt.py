"""CoordAtt in training on CUDA: one pass over x gives both strips, and one over dy and x the gradients of both gates.

    pool    x → means over W and over H                     read x
    apply   x, a, b, rest → y = x · (a · b + rest)          read x, write y
    apply's backward     dy, x → da, db, drest
    pool's backward      dy → dx

`rest` is one number, 1 - share after an identity start and else 0. `relay` explains the relays.
"""

from collections.abc import Callable

import torch
import triton
import triton.language as tl
from torch import Tensor

from yolo_attn.ops.triton.relay import ELEMENTS, dense, map_tile, relay, tile

Gates = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


def coordatt(x: Tensor, gates: Gates, share: Tensor | None) -> Tensor:
    """Returns x · (1 + share · (a · b - 1)), or x · a · b without a share.

    `gates` makes a `(N, C, H, 1)` and b `(N, C, 1, W)` from the strips' means, of the same shapes.
    """
    rows, columns, *relays = strip_pool(x)
    a, b = gates(rows, columns)
    rest = a.new_zeros(1)
    if share is not None:
        a, rest = a * share, (1 - share).view(1)
    return strip_apply(x.detach(), a.to(x.dtype), b.to(x.dtype), rest.float(), *relays)


def line_tile(x: Tensor) -> tuple[int, int]:
    """Returns how many channels a program takes, and the power of two that holds one row of each."""
    block_w = triton.next_power_of_2(x.shape[3])
    return min(triton.next_power_of_2(x.shape[1]), max(1, ELEMENTS // block_w)), block_w


@torch.library.custom_op("yolo_attn::strip_pool", mutates_args=())
def strip_pool(x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Returns the means over W and over H, and relays for dy, a, b and rest."""
    (n, c, h, w), (block_c, block_w), outputs = x.shape, line_tile(x), strips(x)
    with torch.cuda.device_of(x):
        pool_kernel[(triton.cdiv(c, block_c), n)](x, *x.stride(), *outputs[:2], c, h, w, block_c, block_w)
    return outputs


@strip_pool.register_fake
def strips(x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
    n, c, h, w = x.shape
    relays = relay(x, n, c, h, w), relay(x, n, c, h, 1), relay(x, n, c, 1, w), relay(x, 1, dtype=torch.float32)
    return x.new_empty(n, c, h, 1), x.new_empty(n, c, 1, w), *relays


@triton.jit
def pool_kernel(
    x, sn, sc, sh, sw, rows, columns, channels, height, width, BLOCK_C: tl.constexpr, BLOCK_W: tl.constexpr
):  # fmt: skip
    n, c = tl.program_id(1), tl.program_id(0) * BLOCK_C + tl.arange(0, BLOCK_C)
    w = tl.arange(0, BLOCK_W)
    inside = (c < channels)[:, None] & (w < width)[None, :]
    total = tl.zeros([BLOCK_C, BLOCK_W], tl.float32)
    pointers = map_tile(x, n, c, w, width, sn, sc, sh, sw, True)
    line = n * channels + c
    for h in range(height):
        value = tl.load(pointers + h * sh, inside, other=0.0).to(tl.float32)
        total += value
        tl.store(rows + line * height + h, tl.sum(value, 1) / width, c < channels)
    tl.store(columns + line[:, None] * width + w[None, :], total / height, inside)


@torch.library.custom_op("yolo_attn::strip_apply", mutates_args=())
def strip_apply(
    x: Tensor, a: Tensor, b: Tensor, rest: Tensor,
    relay_y: Tensor, relay_a: Tensor, relay_b: Tensor, relay_rest: Tensor,
) -> Tensor:  # fmt: skip
    """Returns x · (a · b + rest)."""
    (n, c, h, w), (block_c, block_p), y = x.shape, tile(x), torch.empty_like(x)
    grid = (triton.cdiv(h * w, block_p), triton.cdiv(c, block_c), n)
    with torch.cuda.device_of(x):
        apply_kernel[grid](
            x, *x.stride(), y, *y.stride(), a.contiguous(), b.contiguous(), rest, a, a, c, h, w, dense(x, y), False,
            block_c, block_p,
        )  # fmt: skip
    return y


@strip_apply.register_fake
def like_x(
    x: Tensor, a: Tensor, b: Tensor, rest: Tensor,
    relay_y: Tensor, relay_a: Tensor, relay_b: Tensor, relay_rest: Tensor,
) -> Tensor:  # fmt: skip
    return torch.empty_like(x)


@torch.library.custom_op("yolo_attn::strip_input_backward", mutates_args=())
def strip_input_backward(dy: Tensor, a: Tensor, b: Tensor, rest: Tensor, drows: Tensor, dcolumns: Tensor) -> Tensor:
    """Returns dx = dy · (a · b + rest) + drows / W + dcolumns / H."""
    (n, c, h, w), (block_c, block_p), dx = dy.shape, tile(dy), torch.empty_like(dy)
    small = [tensor.contiguous() for tensor in (a, b, rest, drows, dcolumns)]
    grid = (triton.cdiv(h * w, block_p), triton.cdiv(c, block_c), n)
    with torch.cuda.device_of(dy):
        apply_kernel[grid](dy, *dy.stride(), dx, *dx.stride(), *small, c, h, w, dense(dy, dx), True, block_c, block_p)
    return dx


@strip_input_backward.register_fake
def like_dy(dy: Tensor, a: Tensor, b: Tensor, rest: Tensor, drows: Tensor, dcolumns: Tensor) -> Tensor:
    return torch.empty_like(dy)


@triton.jit
def apply_kernel(
    x, xn, xc, xh, xw, y, yn, yc, yh, yw, a, b, rest, rows, columns, channels, height, width,
    DENSE: tl.constexpr, ADD: tl.constexpr, BLOCK_C: tl.constexpr, BLOCK_P: tl.constexpr,
):  # fmt: skip
    """y = x · (a · b + rest), and with ADD also + rows / W + columns / H: forward for x, backward for dy."""
    n, c = tl.program_id(2), tl.program_id(1) * BLOCK_C + tl.arange(0, BLOCK_C)
    p, pixels = tl.program_id(0) * BLOCK_P + tl.arange(0, BLOCK_P), height * width
    inside = (c < channels)[:, None] & (p < pixels)[None, :]
    value = tl.load(map_tile(x, n, c, p, width, xn, xc, xh, xw, DENSE), inside).to(tl.float32)
    line = (n * channels + c)[:, None]
    row, column = line * height + (p // width)[None, :], line * width + (p % width)[None, :]
    gate = tl.load(a + row, inside).to(tl.float32) * tl.load(b + column, inside).to(tl.float32)
    value *= gate + tl.load(rest)
    if ADD:
        value += tl.load(rows + row, inside).to(tl.float32) / width
        value += tl.load(columns + column, inside).to(tl.float32) / height
    tl.store(map_tile(y, n, c, p, width, yn, yc, yh, yw, DENSE), value, inside)


@torch.library.custom_op("yolo_attn::strip_apply_backward", mutates_args=())
def strip_apply_backward(dy: Tensor, x: Tensor, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Returns the gradients of a, b and rest from one pass over dy and x."""
    (n, c, h, w), (block_c, block_w) = x.shape, line_tile(x)
    da, db, blocks = a.new_empty(a.shape), b.new_empty(b.shape), triton.cdiv(c, block_c)
    parts = x.new_empty(n, blocks, dtype=torch.float32)
    with torch.cuda.device_of(x):
        apply_backward_kernel[(blocks, n)](
            dy, *dy.stride(), x, *x.stride(), a.contiguous(), b.contiguous(), da, db, parts, c, h, w, block_c, block_w
        )
    return da, db, parts.sum().view(1)


@strip_apply_backward.register_fake
def like_gates(dy: Tensor, x: Tensor, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    return a.new_empty(a.shape), b.new_empty(b.shape), x.new_empty(1, dtype=torch.float32)


@triton.jit
def apply_backward_kernel(
    dy, dn, dc, dh, dw, x, xn, xc, xh, xw, a, b, da, db, parts, channels, height, width,
    BLOCK_C: tl.constexpr, BLOCK_W: tl.constexpr,
):  # fmt: skip
    n, c = tl.program_id(1), tl.program_id(0) * BLOCK_C + tl.arange(0, BLOCK_C)
    w = tl.arange(0, BLOCK_W)
    inside = (c < channels)[:, None] & (w < width)[None, :]
    line = n * channels + c
    column = tl.load(b + line[:, None] * width + w[None, :], inside, other=0.0).to(tl.float32)
    total, whole = tl.zeros([BLOCK_C, BLOCK_W], tl.float32), tl.zeros([BLOCK_C, BLOCK_W], tl.float32)
    x_pointers = map_tile(x, n, c, w, width, xn, xc, xh, xw, True)
    dy_pointers = map_tile(dy, n, c, w, width, dn, dc, dh, dw, True)
    for h in range(height):
        product = tl.load(x_pointers + h * xh, inside, other=0.0).to(tl.float32)
        product *= tl.load(dy_pointers + h * dh, inside, other=0.0).to(tl.float32)
        row = tl.load(a + line * height + h, c < channels, other=0.0).to(tl.float32)
        total += product * row[:, None]
        whole += product
        tl.store(da + line * height + h, tl.sum(product * column, 1), c < channels)
    tl.store(db + line[:, None] * width + w[None, :], total, inside)
    tl.store(parts + n * tl.num_programs(0) + tl.program_id(0), tl.sum(tl.sum(whole, 1), 0))


def pool_context(ctx, inputs, output):
    pass


def pool_backward(ctx, drows, dcolumns, dy, a, b, rest):
    return strip_input_backward(dy, a, b, rest, drows, dcolumns)


def apply_context(ctx, inputs, output):
    ctx.save_for_backward(*inputs[:4])


def apply_backward(ctx, dy):
    x, a, b, rest = ctx.saved_tensors
    return None, *strip_apply_backward(dy, x, a, b), dy, a, b, rest


strip_pool.register_autograd(pool_backward, setup_context=pool_context)
strip_apply.register_autograd(apply_backward, setup_context=apply_context)
