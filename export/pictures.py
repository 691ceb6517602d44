"""The pictures on which a file is compared with the model that it came from."""

from collections.abc import Iterator, Sequence

import torch
from torch.nn.functional import interpolate
from ultralytics.utils import ASSETS

MANY = 2.5e12  # parameters times pixels, between a yolov5n and a yolov5s of 640 × 640: above, float64 takes long


def pictures(like: torch.Tensor, few: bool, others: Sequence[tuple[int, ...]]) -> Iterator[tuple[str, torch.Tensor]]:
    """Yields names and images `(N, C, H, W)` in 0…1.

    Noise, which agrees most closely, and the photograph; then even surfaces, where a deviation is 0, and blocks.

    Args:
        like: An image tensor of the exported size.
        few: Whether the first two are enough.
        others: Further shapes that the file takes.
    """
    generator = torch.Generator().manual_seed(0)

    def noise(shape: tuple[int, ...]) -> torch.Tensor:
        return torch.rand(shape, generator=generator).to(like)

    yield "noise", noise(tuple(like.shape))
    for shape in others:
        yield f"noise of {'×'.join(map(str, shape))}", noise(shape)
    yield "bus.jpg", photograph(like)
    if few:
        return
    yield "black", torch.zeros_like(like)
    yield "white", torch.ones_like(like)
    for shape in (tuple(like.shape), *others):
        yield f"blocks of {'×'.join(map(str, shape))}", interpolate(noise((*shape[:2], 5, 5)), size=shape[2:])


def photograph(like: torch.Tensor) -> torch.Tensor:
    """Returns the picture that Ultralytics ships, as `yolo predict` would hand it to a model of that size."""
    import cv2
    from ultralytics.data.augment import LetterBox

    picture = cv2.imread(str(ASSETS / "bus.jpg"))
    assert picture is not None
    picture = cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
    height, width = like.shape[2:]
    rgb = torch.from_numpy(LetterBox((height, width), auto=False)(image=picture)).permute(2, 0, 1)
    channels = rgb.repeat(-(-like.shape[1] // 3), 1, 1)[: like.shape[1]]  # a multispectral model sees them again
    return (channels / 255).expand(like.shape[0], -1, -1, -1).to(like)
