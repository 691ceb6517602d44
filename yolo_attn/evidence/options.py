"""The keys of `yolo-attn compare`, `ablate`, `slim` and `maps`, each with its type, what it is, and its bounds."""

from dataclasses import dataclass, field
from typing import Annotated


@dataclass
class CompareOptions:
    """What `yolo-attn compare` is told."""

    base: Annotated[str, "the model that attention is put into, such as yolo11n.yaml"]
    attention: Annotated[str, "what to compare, such as none,cbam,eca-P5,gam.r16"]
    data: Annotated[str, "the data set, as for yolo train"]
    seeds: Annotated[int, "the runs of each model, seeds 0 to one less", 2, 100] = 5
    epochs: Annotated[int, "the epochs of each run", 1, 100000] = 100
    margin: Annotated[float, "what counts as no difference, in points of mAP50-95", 0, 100] = 0.5
    controls: Annotated[bool, "also train the next scale, and the base widened to the attention's latency"] = True
    ray: Annotated[str, "run on a Ray cluster: auto, or its address"] = ""
    gpus: Annotated[float, "of a GPU for each run on the cluster, such as 0.5", 0, 64] = 1.0
    project: Annotated[str, "the folder of comparisons"] = "runs/compare"
    name: Annotated[str, "this comparison's folder; the base's name without it"] = ""
    arguments: Annotated[dict[str, str], "those of yolo train, such as imgsz=640 batch=16 device=0"] = field(
        default_factory=dict
    )


@dataclass
class AblateOptions:
    """What `yolo-attn ablate` is told."""

    model: Annotated[str, "a trained checkpoint with attention"]
    data: Annotated[str, "the data set, as for yolo val"]
    imgsz: Annotated[int, "the images' side in pixels; what it was trained with when left out", 32, 8192] = 0
    batch: Annotated[int, "images at a time", 1, 1024] = 16
    device: Annotated[str, "as for yolo val"] = ""
    split: Annotated[str, "which images: val, test or train"] = "val"
    drop: Annotated[str, "layers to leave out of the checkpoint that -o writes, such as 9,12 or model.6.m.0.attn"] = ""
    o: Annotated[str, "a checkpoint without the layers of drop=, and its YAML beside it: pruned.pt"] = ""
    project: Annotated[str, "the folder of results"] = "runs/ablate"
    name: Annotated[str, "the folder of this result"] = ""
    exist_ok: Annotated[bool, "write over what is there"] = False


@dataclass
class SlimOptions:
    """What `yolo-attn slim` is told."""

    model: Annotated[str, "a trained checkpoint with GAM in its dense form"]
    data: Annotated[str, "the data set, as for yolo train"]
    o: Annotated[str, "the checkpoint to write, and its YAML beside it: slim.pt"]
    rank: Annotated[int, "the channels between a 7×1 and a 1×7, in every layer", 2, 100000] = 0
    mse: Annotated[float, "or the error that each layer may have, over the variance of its output: 0.1", 0, 1] = 0.0
    budget: Annotated[str, "or what all GAM may take: 5% of the network without it, or 3ms"] = ""
    epochs: Annotated[int, "train what was made so long with the stock trainer", 0, 100000] = 0
    max_loss: Annotated[float, "write nothing where more points of mAP50-95 are lost", 0, 100] = 100.0
    imgsz: Annotated[int, "the images' side in pixels; what it was trained with when left out", 32, 8192] = 0
    batch: Annotated[int, "images at a time", 1, 1024] = 16
    device: Annotated[str, "as for yolo val"] = ""
    split: Annotated[str, "which images the loss is measured on: val or test"] = "val"
    project: Annotated[str, "the folder of trainings"] = "runs/slim"
    name: Annotated[str, "the folder of this training"] = ""
    exist_ok: Annotated[bool, "write over what is there"] = False
    arguments: Annotated[dict[str, str], "with epochs=, those of yolo train, such as lr0=0.001"] = field(
        default_factory=dict
    )


@dataclass
class MapsOptions:
    """What `yolo-attn maps` is told."""

    model: Annotated[str, "a trained checkpoint with attention"]
    source: Annotated[str, "a picture, a folder, a video or a glob"]
    imgsz: Annotated[int, "the images' side in pixels; what it was trained with when left out", 32, 8192] = 0
    conf: Annotated[float, "the least score of a box", 0, 1] = 0.25
    device: Annotated[str, "as for yolo predict"] = ""
    save_npy: Annotated[bool, "also write each gate as .npy"] = False
    project: Annotated[str, "the folder of results"] = "runs/maps"
    name: Annotated[str, "the folder of this result"] = ""
    exist_ok: Annotated[bool, "write over what is there"] = False
