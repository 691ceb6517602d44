"""Exported models that find something in the two pictures that Ultralytics ships, without any training."""

import math
from pathlib import Path

import cv2
import torch
from ultralytics import YOLO
from ultralytics.utils import ASSETS

PICTURES = sorted(ASSETS.glob("*.jpg"))
IMGSZ = 160


def lively(name: str) -> YOLO:
    """Returns a model with random weights whose batch norms fit the pictures and whose scores and boxes spread.

    The class branch is scaled so that about one anchor in a hundred scores above 0.25, best scores near 1.
    """
    torch.manual_seed(0)
    yolo = YOLO(name)
    network = yolo.model
    images = [cv2.resize(cv2.imread(str(picture)), (IMGSZ, IMGSZ))[..., ::-1] for picture in PICTURES]
    batch = torch.stack([torch.from_numpy(image / 255.0).permute(2, 0, 1).float() for image in images])
    network.train()
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.momentum = 0.5
        for _ in range(6):
            network.predict(batch)
        network.eval()
        head = network.model[-1]
        for branch in ("cv2", "cv3", "cv4", "one2one_cv2", "one2one_cv3", "one2one_cv4"):
            for level in getattr(head, branch, None) or ():
                spread(level, batch, network, branch.endswith("cv3"))
                if branch.endswith("cv2") and head.reg_max == 1:
                    level[-1].bias.add_(5)  # here the outputs are the distances to the box's sides, in cells
        if hasattr(head, "linear"):
            head.linear.weight.mul_(30)
    return yolo


def spread(level: torch.nn.Module, batch: torch.Tensor, network: torch.nn.Module, scores: bool) -> None:
    """Scales a branch's last convolution to outputs of deviation 2 around 0; class scores to few that are high."""
    last = level[-1] if isinstance(level, torch.nn.Sequential) else level
    if not isinstance(last, torch.nn.Conv2d):  # YOLO26's keypoints have further layers behind this branch
        return
    seen: list[torch.Tensor] = []
    hook = last.register_forward_hook(lambda module, inputs, output: seen.append(output))
    network.predict(batch)
    hook.remove()
    if not seen:
        return
    gain = 2 / seen[0].std(dim=(0, 2, 3)).clamp(min=1e-6)
    last.weight.mul_(gain[:, None, None, None])
    last.bias.copy_(-seen[0].mean(dim=(0, 2, 3)) * gain + last.bias * gain)
    if scores:
        many = seen[0].shape[1]
        last.bias.sub_(2 * torch.distributions.Normal(0, 1).icdf(torch.tensor(1 - 0.02 / many)) + math.log(3))


def export(name: str, folder: Path, imgsz: int = IMGSZ, **options) -> Path:
    """Exports a lively model to `folder` and returns the file."""
    return Path(lively(name).export(format="onnx", imgsz=imgsz, simplify=False, verbose=False, **options)).replace(
        folder / f"{Path(name).stem}{'-'.join(['', *options])}.onnx"
    )
