"""What the Triton kernels share: how a map is addressed, how it is cut into tiles, and the relays of a backward pass.

A map is `(N, C, H, W)` with any strides, so channels first, channels last and slices are read where they lie. A tile
is some channels by some pixels of one image, the pixels counted as h · W + w. Sums are in float32, nothing is atomic,
and a tile's size depends on shape and strides alone: the same input gives the same bits.

**Relays.** In the forward pass an operator reads x several times: to pool it, and to multiply it. If each reading were
an operator of its own with its own gradient, each would write a map and autograd would add the maps up. But once the
last small gradient is known, one pass over dy gives all of dx. So only the first operator, the pooling, takes x with
its gradient and returns dx. What its backward pass needs from the later operators (dy, and the gates) reaches it along
the graph: it returns *relays*, tensors of one number broadcast to a shape, which the later operators take; in place of
a gradient they hand back along them what they know. A relay has no value, and its "gradient" is the message.
"""

import torch
import triton
import triton.language as tl

ELEMENTS = 2048  # of a tile: 16 to each of 128 threads


@triton.jit
def pixel_offsets(pixel, width, stride_h, stride_w, DENSE: tl.constexpr):
    """Returns where the pixels of a plane lie; a DENSE plane needs no division, and its loads stay vectors."""
    if DENSE:
        return pixel * stride_w
    return (pixel // width) * stride_h + (pixel % width) * stride_w


@triton.jit
def map_tile(pointer, n, channel, pixel, width, sn, sc, sh, sw, DENSE: tl.constexpr):
    """Returns the pointers of a tile, channels by pixels; the image's offset may exceed 32 bits."""
    plane = pixel_offsets(pixel, width, sh, sw, DENSE)
    return pointer + n.to(tl.int64) * sn + channel[:, None] * sc + plane[None, :]


def dense(*maps: torch.Tensor) -> bool:
    """Returns whether the pixels of each map lie at equal distances."""
    return all(x.stride(2) == x.shape[3] * x.stride(3) for x in maps)


def tile(x: torch.Tensor) -> tuple[int, int]:
    """Returns a tile's channels and pixels, powers of two, longest along what lies side by side in memory."""
    channels, pixels = triton.next_power_of_2(x.shape[1]), triton.next_power_of_2(x.shape[2] * x.shape[3])
    if x.stride(1) == 1 and x.stride(3) != 1:
        block_c = min(channels, 128)
        return block_c, min(pixels, ELEMENTS // block_c)
    block_p = min(pixels, 128)
    return min(channels, ELEMENTS // block_p), block_p


def relay(like: torch.Tensor, *shape: int, dtype: torch.dtype | None = None) -> torch.Tensor:
    """Returns one number broadcast to `shape`: what a later operator's backward pass hands something back along."""
    return like.new_zeros((), dtype=dtype).expand(shape)
