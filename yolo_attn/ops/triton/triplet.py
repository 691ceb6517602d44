"""TripletAttention in training on CUDA: one pass over x gives the statistics of all three planes.

    pool    x → mean and max over C, over H and over W      read x
    apply   x, p, q, r → y = x · (p + q + r)                read x, write y
    apply's backward     dy, x → dp, dq, dr
    pool's backward      dy → dx

p is `(N, 1, H, W)`, q `(N, C, 1, W)`, r `(N, C, H, 1)`. A program takes some channels of an image, row by row: its sums
over H and W are whole, and those over C are parts, added up behind. `relay` explains the relays.
"""

from collections.abc import Callable

import torch
import triton
import triton.language as tl
from torch import Tensor

from yolo_attn.ops.triton.coordatt import line_tile
from yolo_attn.ops.triton.relay import dense, map_tile, relay, tile

Planes = list[tuple[Tensor, Tensor]]  # mean and maximum over C, over H, over W
Pooled = tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]


def triplet(x: Tensor, gates: Callable[[Planes], list[Tensor]]) -> Tensor:
    """Returns x · (p + q + r), the three made by `gates` from the planes' statistics, of the same shapes."""
    pooled = triplet_pool(x)
    p, q, r = (gate.to(x.dtype) for gate in gates([(pooled[i], pooled[i + 3]) for i in range(3)]))
    return triplet_apply(x.detach(), p, q, r, *pooled[9:])


def planes_of(x: Tensor) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    """Returns the shapes of p, q and r."""
    n, c, h, w = x.shape
    return (n, 1, h, w), (n, c, 1, w), (n, c, h, 1)


@torch.library.custom_op("yolo_attn::triplet_pool", mutates_args=())
def triplet_pool(x: Tensor) -> Pooled:
    """Returns three means, three maxima, their three indices, and relays for dy, p, q and r."""
    (n, c, h, w), (block_c, block_w), outputs = x.shape, line_tile(x), pooled_planes(x)
    blocks = triton.cdiv(c, block_c)
    sums, maxima = (x.new_empty(blocks, n, h * w, dtype=torch.float32) for _ in range(2))
    indices = x.new_empty(blocks, n, h * w, dtype=torch.int32)
    with torch.cuda.device_of(x):
        pool_kernel[(blocks, n)](
            x,
            *x.stride(),
            sums,
            maxima,
            indices,
            *(outputs[i] for i in (1, 2, 4, 5, 7, 8)),
            n,
            c,
            h,
            w,
            block_c,
            block_w,
        )
        block_p = min(triton.next_power_of_2(h * w), 128)
        merge_kernel[(triton.cdiv(h * w, block_p), n)](
            sums, maxima, indices, *(outputs[i] for i in (0, 3, 6)), blocks, n, c, h * w, block_p
        )
    return outputs


@triplet_pool.register_fake
def pooled_planes(x: Tensor) -> Pooled:
    shapes = planes_of(x)
    means, maxima = [x.new_empty(s) for s in shapes], [x.new_empty(s) for s in shapes]
    indices = [x.new_empty(s, dtype=torch.int32) for s in shapes]
    return *means, *maxima, *indices, relay(x, *x.shape), *(relay(x, *s) for s in shapes)  # type: ignore[return-value]


@triton.jit
def pool_kernel(
    x, sn, sc, sh, sw, sums, maxima, indices, mean_q, mean_r, max_q, max_r, index_q, index_r,
    images, channels, height, width, BLOCK_C: tl.constexpr, BLOCK_W: tl.constexpr,
):  # fmt: skip
    n, c = tl.program_id(1), tl.program_id(0) * BLOCK_C + tl.arange(0, BLOCK_C)
    w = tl.arange(0, BLOCK_W)
    some, across = c < channels, w < width
    inside = some[:, None] & across[None, :]
    total = tl.zeros([BLOCK_C, BLOCK_W], tl.float32)
    best, at = tl.full([BLOCK_C, BLOCK_W], float("-inf"), tl.float32), tl.zeros([BLOCK_C, BLOCK_W], tl.int32)
    pointers = map_tile(x, n, c, w, width, sn, sc, sh, sw, True)
    part = (tl.program_id(0) * images + n) * height * width + w
    for h in range(height):
        value = tl.load(pointers + h * sh, inside, other=float("-inf")).to(tl.float32)
        counted = tl.where(inside, value, 0.0)
        total += counted
        at = tl.where(value > best, h, at)
        best = tl.maximum(value, best)
        high, where = tl.max(value, 1, return_indices=True)
        row = (n * channels + c) * height + h
        tl.store(mean_r + row, tl.sum(counted, 1) / width, some)
        tl.store(max_r + row, high, some)
        tl.store(index_r + row, where, some)
        high, where = tl.max(value, 0, return_indices=True)
        tl.store(sums + part + h * width, tl.sum(counted, 0), across)
        tl.store(maxima + part + h * width, high, across)
        tl.store(indices + part + h * width, tl.program_id(0) * BLOCK_C + where, across)
    column = (n * channels + c)[:, None] * width + w[None, :]
    tl.store(mean_q + column, total / height, inside)
    tl.store(max_q + column, best, inside)
    tl.store(index_q + column, at, inside)


@triton.jit
def merge_kernel(
    sums, maxima, indices, mean, maximum, index, blocks, images, channels, pixels, BLOCK_P: tl.constexpr
):  # fmt: skip
    """Adds up what the blocks of channels found of each pixel; the first block wins a tie."""
    n, p = tl.program_id(1), tl.program_id(0) * BLOCK_P + tl.arange(0, BLOCK_P)
    total = tl.zeros([BLOCK_P], tl.float32)
    best, at = tl.full([BLOCK_P], float("-inf"), tl.float32), tl.zeros([BLOCK_P], tl.int32)
    for block in range(blocks):
        part = (block * images + n) * pixels + p
        total += tl.load(sums + part, p < pixels, other=0.0)
        high = tl.load(maxima + part, p < pixels, other=float("-inf"))
        at = tl.where(high > best, tl.load(indices + part, p < pixels, other=0), at)
        best = tl.maximum(high, best)
    out = n * pixels + p
    tl.store(mean + out, total / channels, p < pixels)
    tl.store(maximum + out, best, p < pixels)
    tl.store(index + out, at, p < pixels)


@torch.library.custom_op("yolo_attn::triplet_apply", mutates_args=())
def triplet_apply(
    x: Tensor, p: Tensor, q: Tensor, r: Tensor, relay_y: Tensor, relay_p: Tensor, relay_q: Tensor, relay_r: Tensor
) -> Tensor:
    """Returns x · (p + q + r)."""
    (n, c, h, w), (block_c, block_p), y = x.shape, tile(x), torch.empty_like(x)
    small = [gate.contiguous() for gate in (p, q, r)]
    grid = (triton.cdiv(h * w, block_p), triton.cdiv(c, block_c), n)
    with torch.cuda.device_of(x):
        apply_kernel[grid](
            x,
            *x.stride(),
            y,
            *y.stride(),
            *small,
            *(p for _ in range(9)),
            c,
            h,
            w,
            dense(x, y),
            False,
            block_c,
            block_p,
        )
    return y


@triplet_apply.register_fake
def like_x(
    x: Tensor, p: Tensor, q: Tensor, r: Tensor, relay_y: Tensor, relay_p: Tensor, relay_q: Tensor, relay_r: Tensor
) -> Tensor:
    return torch.empty_like(x)


@torch.library.custom_op("yolo_attn::triplet_input_backward", mutates_args=())
def triplet_input_backward(dy: Tensor, gates: list[Tensor], statistics: list[Tensor]) -> Tensor:
    """Returns dx from dy, the gates, and gradients of means, of maxima, and indices, three of each."""
    (n, c, h, w), (block_c, block_p), dx = dy.shape, tile(dy), torch.empty_like(dy)
    small = [tensor.contiguous() for tensor in (*gates, *statistics)]
    grid = (triton.cdiv(h * w, block_p), triton.cdiv(c, block_c), n)
    with torch.cuda.device_of(dy):
        apply_kernel[grid](dy, *dy.stride(), dx, *dx.stride(), *small, c, h, w, dense(dy, dx), True, block_c, block_p)
    return dx


@triplet_input_backward.register_fake
def like_dy(dy: Tensor, gates: list[Tensor], statistics: list[Tensor]) -> Tensor:
    return torch.empty_like(dy)


@triton.jit
def apply_kernel(
    x, xn, xc, xh, xw, y, yn, yc, yh, yw, p, q, r, mean_p, mean_q, mean_r, max_p, max_q, max_r,
    index_p, index_q, index_r, channels, height, width,
    DENSE: tl.constexpr, ADD: tl.constexpr, BLOCK_C: tl.constexpr, BLOCK_P: tl.constexpr,
):  # fmt: skip
    """y = x · (p + q + r), and with ADD also the gradients of the statistics: forward for x, backward for dy."""
    n, c = tl.program_id(2), (tl.program_id(1) * BLOCK_C + tl.arange(0, BLOCK_C))[:, None]
    pixel, pixels = (tl.program_id(0) * BLOCK_P + tl.arange(0, BLOCK_P))[None, :], height * width
    some, inside = pixel < pixels, (c < channels) & (pixel < pixels)
    line = n * channels + c
    at_p, at_q, at_r = n * pixels + pixel, line * width + pixel % width, line * height + pixel // width
    plane = pixel * xw if DENSE else (pixel // width) * xh + (pixel % width) * xw
    value = tl.load(x + n.to(tl.int64) * xn + c * xc + plane, inside).to(tl.float32)
    gate = tl.load(p + at_p, some).to(tl.float32) + tl.load(q + at_q, inside).to(tl.float32)
    value *= gate + tl.load(r + at_r, inside).to(tl.float32)
    if ADD:
        value += tl.load(mean_p + at_p, some).to(tl.float32) / channels
        value += tl.load(mean_q + at_q, inside).to(tl.float32) / height
        value += tl.load(mean_r + at_r, inside).to(tl.float32) / width
        value += tl.where(tl.load(index_p + at_p, some) == c, tl.load(max_p + at_p, some).to(tl.float32), 0.0)
        here = tl.load(index_q + at_q, inside) == pixel // width
        value += tl.where(here, tl.load(max_q + at_q, inside).to(tl.float32), 0.0)
        here = tl.load(index_r + at_r, inside) == pixel % width
        value += tl.where(here, tl.load(max_r + at_r, inside).to(tl.float32), 0.0)
    plane = pixel * yw if DENSE else (pixel // width) * yh + (pixel % width) * yw
    tl.store(y + n.to(tl.int64) * yn + c * yc + plane, value, inside)


@torch.library.custom_op("yolo_attn::triplet_apply_backward", mutates_args=())
def triplet_apply_backward(dy: Tensor, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Returns the sums of dy · x over C, over H and over W."""
    (n, c, h, w), (block_c, block_w) = x.shape, line_tile(x)
    blocks, (_, dq, dr) = triton.cdiv(c, block_c), like_planes(dy, x)
    parts = x.new_empty(blocks, n, 1, h, w, dtype=torch.float32)
    with torch.cuda.device_of(x):
        apply_backward_kernel[(blocks, n)](
            dy, *dy.stride(), x, *x.stride(), parts, dq, dr, n, c, h, w, block_c, block_w
        )
    return parts.sum(0).to(x.dtype), dq, dr


@triplet_apply_backward.register_fake
def like_planes(dy: Tensor, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    dp, dq, dr = (x.new_empty(shape) for shape in planes_of(x))
    return dp, dq, dr


@triton.jit
def apply_backward_kernel(
    dy, dn, dc, dh, dw, x, xn, xc, xh, xw, parts, dq, dr, images, channels, height, width,
    BLOCK_C: tl.constexpr, BLOCK_W: tl.constexpr,
):  # fmt: skip
    n, c = tl.program_id(1), tl.program_id(0) * BLOCK_C + tl.arange(0, BLOCK_C)
    w = tl.arange(0, BLOCK_W)
    inside = (c < channels)[:, None] & (w < width)[None, :]
    total = tl.zeros([BLOCK_C, BLOCK_W], tl.float32)
    x_pointers = map_tile(x, n, c, w, width, xn, xc, xh, xw, True)
    dy_pointers = map_tile(dy, n, c, w, width, dn, dc, dh, dw, True)
    part = (tl.program_id(0) * images + n) * height * width + w
    for h in range(height):
        product = tl.load(x_pointers + h * xh, inside, other=0.0).to(tl.float32)
        product *= tl.load(dy_pointers + h * dh, inside, other=0.0).to(tl.float32)
        total += product
        tl.store(dr + (n * channels + c) * height + h, tl.sum(product, 1), c < channels)
        tl.store(parts + part + h * width, tl.sum(product, 0), w < width)
    tl.store(dq + (n * channels + c)[:, None] * width + w[None, :], total, inside)


def pool_context(ctx, inputs, output):
    ctx.save_for_backward(*output[6:9])


def pool_backward(ctx, *gradients):
    dy, gates = gradients[9], list(gradients[10:])
    return triplet_input_backward(dy, gates, [*gradients[:6], *ctx.saved_tensors])


def apply_context(ctx, inputs, output):
    ctx.save_for_backward(*inputs[:4])


def apply_backward(ctx, dy):
    x, p, q, r = ctx.saved_tensors
    return None, *triplet_apply_backward(dy, x), dy, p, q, r


triplet_pool.register_autograd(pool_backward, setup_context=pool_context)
triplet_apply.register_autograd(apply_backward, setup_context=apply_context)
