"""CBAM in training on CUDA: the map is passed over four times forward, and five times back.

    pool    x → mean, max over the pixels          read x
    stats   x, g → max, mean over C of x · g       read x; x · g is never written
    apply   x, g, s → y = x · g · s                read x, write y
    apply's backward     dy, x → ds, and dg as far as y alone makes it
    stats's backward     x → the rest of dg
    pool's backward      dy → dx, from all gradients of the small tensors at once

The perceptron and the convolution between them stay PyTorch's. `relay` explains the relays.
"""

from collections.abc import Callable

import torch
import triton
import triton.language as tl
from torch import Tensor

from yolo_attn.ops.triton.relay import dense, map_tile, relay, tile

Gate = Callable[[Tensor, Tensor], Tensor]


def cbam(x: Tensor, channel_gate: Gate, spatial_gate: Gate) -> Tensor:
    """Returns x · g · s: g `(N, C, 1, 1)` and s `(N, 1, H, W)`, each made by its gate from the mean and the maximum."""
    data = x.detach()
    mean, maximum, _, relay_y, relay_g, relay_planes = cbam_pool(x)
    g = channel_gate(mean, maximum).to(x.dtype)
    mean, maximum, _, relay_y, relay_s = cbam_stats(data, g, relay_y, relay_g, relay_planes)
    return cbam_apply(data, g, spatial_gate(mean, maximum).to(x.dtype), relay_y, relay_s)


@torch.library.custom_op("yolo_attn::cbam_pool", mutates_args=())
def cbam_pool(x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Returns mean and maximum `(N, C, 1, 1)`, the maximum's pixel `(N, C)`, and relays for dy, g and four planes."""
    (n, c, h, w), (block_c, block_p) = x.shape, tile(x)
    outputs = pooled_channels(x)
    grid = (triton.cdiv(c, block_c), n)
    with torch.cuda.device_of(x):
        pool_kernel[grid](x, *x.stride(), *outputs[:3], c, h * w, w, dense(x), block_c, block_p)
    return outputs


@cbam_pool.register_fake
def pooled_channels(x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
    n, c, h, w = x.shape
    mean, maximum = x.new_empty(n, c, 1, 1), x.new_empty(n, c, 1, 1)
    relays = relay(x, n, c, h, w), relay(x, n, c, 1, 1), relay(x, n, 4, h, w, dtype=torch.float32)
    return mean, maximum, x.new_empty(n, c, dtype=torch.int32), *relays


@triton.jit
def pool_kernel(
    x, sn, sc, sh, sw, mean, maximum, index, channels, pixels, width,
    DENSE: tl.constexpr, BLOCK_C: tl.constexpr, BLOCK_P: tl.constexpr,
):  # fmt: skip
    n, c = tl.program_id(1), tl.program_id(0) * BLOCK_C + tl.arange(0, BLOCK_C)
    total = tl.zeros([BLOCK_C], tl.float32)
    best, at = tl.full([BLOCK_C], float("-inf"), tl.float32), tl.zeros([BLOCK_C], tl.int32)
    for start in range(0, pixels, BLOCK_P):
        p = start + tl.arange(0, BLOCK_P)
        inside = (c < channels)[:, None] & (p < pixels)[None, :]
        pointers = map_tile(x, n, c, p, width, sn, sc, sh, sw, DENSE)
        value = tl.load(pointers, inside, other=float("-inf")).to(tl.float32)
        high, where = tl.max(value, 1, return_indices=True)
        at = tl.where(high > best, start + where, at)
        best = tl.maximum(high, best)
        total += tl.sum(tl.where(inside, value, 0.0), 1)
    out = n * channels + c
    tl.store(mean + out, total / pixels, c < channels)
    tl.store(maximum + out, best, c < channels)
    tl.store(index + out, at, c < channels)


@torch.library.custom_op("yolo_attn::cbam_stats", mutates_args=())
def cbam_stats(
    x: Tensor, g: Tensor, relay_y: Tensor, relay_g: Tensor, relay_planes: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Returns mean and maximum of x · g over C `(N, 1, H, W)`, the maximum's channel `(N, H, W)`, relays for dy, s."""
    (n, c, h, w), (block_c, block_p) = x.shape, tile(x)
    outputs = pooled_pixels(x, g, relay_y, relay_g, relay_planes)
    grid = (triton.cdiv(h * w, block_p), n)
    with torch.cuda.device_of(x):
        stats_kernel[grid](
            x, *x.stride(), g.contiguous(), *outputs[:3], c, h * w, w, dense(x), block_c, block_p
        )  # fmt: skip
    return outputs


@cbam_stats.register_fake
def pooled_pixels(
    x: Tensor, g: Tensor, relay_y: Tensor, relay_g: Tensor, relay_planes: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    n, c, h, w = x.shape
    mean, maximum = x.new_empty(n, 1, h, w), x.new_empty(n, 1, h, w)
    index = x.new_empty(n, h, w, dtype=torch.int32)
    return mean, maximum, index, relay(x, n, c, h, w), relay(x, n, 1, h, w)


@triton.jit
def stats_kernel(
    x, sn, sc, sh, sw, g, mean, maximum, index, channels, pixels, width,
    DENSE: tl.constexpr, BLOCK_C: tl.constexpr, BLOCK_P: tl.constexpr,
):  # fmt: skip
    n, p = tl.program_id(1), tl.program_id(0) * BLOCK_P + tl.arange(0, BLOCK_P)
    total = tl.zeros([BLOCK_P], tl.float32)
    best, at = tl.full([BLOCK_P], float("-inf"), tl.float32), tl.zeros([BLOCK_P], tl.int32)
    for start in range(0, channels, BLOCK_C):
        c = start + tl.arange(0, BLOCK_C)
        inside = (c < channels)[:, None] & (p < pixels)[None, :]
        value = tl.load(map_tile(x, n, c, p, width, sn, sc, sh, sw, DENSE), inside, other=0.0).to(tl.float32)
        value *= tl.load(g + n * channels + c, c < channels, other=0.0).to(tl.float32)[:, None]
        total += tl.sum(value, 0)
        high, where = tl.max(tl.where(inside, value, float("-inf")), 0, return_indices=True)
        at = tl.where(high > best, start + where, at)
        best = tl.maximum(high, best)
    out = n * pixels + p
    tl.store(mean + out, total / channels, p < pixels)
    tl.store(maximum + out, best, p < pixels)
    tl.store(index + out, at, p < pixels)


@torch.library.custom_op("yolo_attn::cbam_apply", mutates_args=())
def cbam_apply(x: Tensor, g: Tensor, s: Tensor, relay_y: Tensor, relay_s: Tensor) -> Tensor:
    """Returns x · g · s."""
    (n, c, h, w), (block_c, block_p), y = x.shape, tile(x), torch.empty_like(x)
    grid = (triton.cdiv(h * w, block_p), triton.cdiv(c, block_c), n)
    with torch.cuda.device_of(x):
        apply_kernel[grid](
            x, *x.stride(), y, *y.stride(), g.contiguous(), s.contiguous(), c, h * w, w, dense(x, y), block_c, block_p
        )  # fmt: skip
    return y


@cbam_apply.register_fake
def like_x(x: Tensor, g: Tensor, s: Tensor, relay_y: Tensor, relay_s: Tensor) -> Tensor:
    return torch.empty_like(x)


@triton.jit
def apply_kernel(
    x, xn, xc, xh, xw, y, yn, yc, yh, yw, g, s, channels, pixels, width,
    DENSE: tl.constexpr, BLOCK_C: tl.constexpr, BLOCK_P: tl.constexpr,
):  # fmt: skip
    n, c = tl.program_id(2), tl.program_id(1) * BLOCK_C + tl.arange(0, BLOCK_C)
    p = tl.program_id(0) * BLOCK_P + tl.arange(0, BLOCK_P)
    inside = (c < channels)[:, None] & (p < pixels)[None, :]
    value = tl.load(map_tile(x, n, c, p, width, xn, xc, xh, xw, DENSE), inside).to(tl.float32)
    channel = tl.load(g + n * channels + c, c < channels).to(tl.float32)
    spatial = tl.load(s + n * pixels + p, p < pixels).to(tl.float32)
    tl.store(map_tile(y, n, c, p, width, yn, yc, yh, yw, DENSE), value * channel[:, None] * spatial[None, :], inside)


@torch.library.custom_op("yolo_attn::cbam_apply_backward", mutates_args=())
def cbam_apply_backward(dy: Tensor, x: Tensor, g: Tensor, s: Tensor) -> tuple[Tensor, Tensor]:
    """Returns the gradients of g and s, both from one pass over dy and x; that of g adds up one part for each tile."""
    (n, c, h, w), (block_c, block_p) = x.shape, tile(x)
    tiles = triton.cdiv(h * w, block_p)
    parts, ds = (
        x.new_empty(tiles, n, c, dtype=torch.float32),
        torch.empty_like(s, memory_format=torch.contiguous_format),
    )
    with torch.cuda.device_of(x):
        apply_backward_kernel[(tiles, n)](
            dy, *dy.stride(), x, *x.stride(), g.contiguous(), s.contiguous(), parts, ds, n, c, h * w, w, dense(dy, x),
            block_c, block_p,
        )  # fmt: skip
    return parts.sum(0).to(g.dtype).view_as(g), ds


@cbam_apply_backward.register_fake
def like_gates(dy: Tensor, x: Tensor, g: Tensor, s: Tensor) -> tuple[Tensor, Tensor]:
    return g.new_empty(g.shape), s.new_empty(s.shape)


@triton.jit
def apply_backward_kernel(
    dy, dn, dc, dh, dw, x, xn, xc, xh, xw, g, s, parts, ds, images, channels, pixels, width,
    DENSE: tl.constexpr, BLOCK_C: tl.constexpr, BLOCK_P: tl.constexpr,
):  # fmt: skip
    n, p = tl.program_id(1), tl.program_id(0) * BLOCK_P + tl.arange(0, BLOCK_P)
    spatial = tl.load(s + n * pixels + p, p < pixels, other=0.0).to(tl.float32)
    total = tl.zeros([BLOCK_P], tl.float32)
    for start in range(0, channels, BLOCK_C):
        c = start + tl.arange(0, BLOCK_C)
        inside = (c < channels)[:, None] & (p < pixels)[None, :]
        product = tl.load(map_tile(x, n, c, p, width, xn, xc, xh, xw, DENSE), inside, other=0.0).to(tl.float32)
        product *= tl.load(map_tile(dy, n, c, p, width, dn, dc, dh, dw, DENSE), inside, other=0.0).to(tl.float32)
        channel = tl.load(g + n * channels + c, c < channels, other=0.0).to(tl.float32)
        total += tl.sum(product * channel[:, None], 0)
        part = tl.sum(product * spatial[None, :], 1)
        tl.store(parts + (tl.program_id(0) * images + n) * channels + c, part, c < channels)
    tl.store(ds + n * pixels + p, total, p < pixels)


@torch.library.custom_op("yolo_attn::cbam_stats_backward", mutates_args=())
def cbam_stats_backward(x: Tensor, g: Tensor, planes: Tensor) -> Tensor:
    """Returns the gradient of g through the statistics, Σ over the pixels of x · d(x · g)."""
    (n, c, h, w), (block_c, block_p) = x.shape, tile(x)
    dg = torch.empty_like(g, memory_format=torch.contiguous_format)
    with torch.cuda.device_of(x):
        stats_backward_kernel[(triton.cdiv(c, block_c), n)](
            x, *x.stride(), planes, dg, c, h * w, w, dense(x), block_c, block_p
        )
    return dg


@cbam_stats_backward.register_fake
def like_g(x: Tensor, g: Tensor, planes: Tensor) -> Tensor:
    return g.new_empty(g.shape)


@triton.jit
def statistics_gradient(planes, n, c, p, pixels):
    """Returns d(x · g) as the statistics make it: the mean's share everywhere, the maximum's in its channel."""
    base = planes + n * 4 * pixels + p
    share = tl.load(base + pixels, p < pixels, other=0.0)
    maximum = tl.load(base + 2 * pixels, p < pixels, other=0.0)
    channel = tl.load(base + 3 * pixels, p < pixels, other=-1.0)
    return share[None, :] + tl.where(c.to(tl.float32)[:, None] == channel[None, :], maximum[None, :], 0.0)


@triton.jit
def stats_backward_kernel(
    x, sn, sc, sh, sw, planes, dg, channels, pixels, width,
    DENSE: tl.constexpr, BLOCK_C: tl.constexpr, BLOCK_P: tl.constexpr,
):  # fmt: skip
    n, c = tl.program_id(1), tl.program_id(0) * BLOCK_C + tl.arange(0, BLOCK_C)
    total = tl.zeros([BLOCK_C], tl.float32)
    for start in range(0, pixels, BLOCK_P):
        p = start + tl.arange(0, BLOCK_P)
        inside = (c < channels)[:, None] & (p < pixels)[None, :]
        value = tl.load(map_tile(x, n, c, p, width, sn, sc, sh, sw, DENSE), inside, other=0.0).to(tl.float32)
        total += tl.sum(value * statistics_gradient(planes, n, c, p, pixels), 1)
    tl.store(dg + n * channels + c, total, c < channels)


@torch.library.custom_op("yolo_attn::cbam_input_backward", mutates_args=())
def cbam_input_backward(
    dy: Tensor, g: Tensor, planes: Tensor, dmean: Tensor, dmaximum: Tensor, index: Tensor
) -> Tensor:
    """Returns dx = g · (s · dy + d(x · g)) + dmean / (H · W) + dmaximum where it was."""
    (n, c, h, w), (block_c, block_p), dx = dy.shape, tile(dy), torch.empty_like(dy)
    small = [tensor.contiguous() for tensor in (g, planes, dmean, dmaximum, index)]
    grid = (triton.cdiv(h * w, block_p), triton.cdiv(c, block_c), n)
    with torch.cuda.device_of(dy):
        input_backward_kernel[grid](
            dy, *dy.stride(), dx, *dx.stride(), *small, c, h * w, w, dense(dy, dx), block_c, block_p
        )
    return dx


@cbam_input_backward.register_fake
def like_dy(dy: Tensor, g: Tensor, planes: Tensor, dmean: Tensor, dmaximum: Tensor, index: Tensor) -> Tensor:
    return torch.empty_like(dy)


@triton.jit
def input_backward_kernel(
    dy, yn, yc, yh, yw, dx, xn, xc, xh, xw, g, planes, dmean, dmaximum, index, channels, pixels, width,
    DENSE: tl.constexpr, BLOCK_C: tl.constexpr, BLOCK_P: tl.constexpr,
):  # fmt: skip
    n, c = tl.program_id(2), tl.program_id(1) * BLOCK_C + tl.arange(0, BLOCK_C)
    p = tl.program_id(0) * BLOCK_P + tl.arange(0, BLOCK_P)
    inside = (c < channels)[:, None] & (p < pixels)[None, :]
    value = tl.load(map_tile(dy, n, c, p, width, yn, yc, yh, yw, DENSE), inside).to(tl.float32)
    spatial = tl.load(planes + n * 4 * pixels + p, p < pixels)
    row, some = n * channels + c, c < channels
    channel = tl.load(g + row, some).to(tl.float32)
    share = tl.load(dmean + row, some).to(tl.float32) / pixels
    maximum = tl.load(dmaximum + row, some).to(tl.float32)
    where = tl.load(index + row, some)[:, None] == p[None, :]
    value = channel[:, None] * (spatial[None, :] * value + statistics_gradient(planes, n, c, p, pixels))
    value += share[:, None] + tl.where(where, maximum[:, None], 0.0)
    tl.store(map_tile(dx, n, c, p, width, xn, xc, xh, xw, DENSE), value, inside)


def pool_context(ctx, inputs, output):
    ctx.save_for_backward(output[2])


def pool_backward(ctx, dmean, dmaximum, _, dy, g, planes):
    return cbam_input_backward(dy, g, planes, dmean, dmaximum, *ctx.saved_tensors)


def stats_context(ctx, inputs, output):
    ctx.save_for_backward(inputs[0], inputs[1], output[2])


def stats_backward(ctx, dmean, dmaximum, _, dy, s):
    x, g, index = ctx.saved_tensors
    planes = torch.cat([plane.float() for plane in (s, dmean / x.shape[1], dmaximum, index.unsqueeze(1))], 1)
    return None, cbam_stats_backward(x, g, planes), dy, g, planes


def apply_context(ctx, inputs, output):
    ctx.save_for_backward(*inputs[:3])


def apply_backward(ctx, dy):
    x, g, s = ctx.saved_tensors
    return None, *cbam_apply_backward(dy, x, g, s), dy, s


cbam_pool.register_autograd(pool_backward, setup_context=pool_context)
cbam_stats.register_autograd(stats_backward, setup_context=stats_context)
cbam_apply.register_autograd(apply_backward, setup_context=apply_context)
