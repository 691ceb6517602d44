"""The keys of `yolo-attn place`, each with its type, what it is, and its bounds."""

from dataclasses import dataclass, field
from typing import Annotated


@dataclass
class PlaceOptions:
    """What `yolo-attn place` is told."""

    base: Annotated[str, "the checkpoint that attention is put into, such as best.pt, trained on this data"]
    data: Annotated[str, "the data set, as for yolo train"]
    operators: Annotated[str, "what to try, such as cbam,eca,coordatt"]
    budget: Annotated[str, "what attention may take: 5% of the base's time, or 2ms"] = "5%"
    epochs: Annotated[int, "the epochs of each run that confirms the answer", 1, 100000] = 100
    search_epochs: Annotated[int, "the epochs with attention everywhere", 1, 100000] = 10
    seeds: Annotated[int, "the runs of each model that confirm the answer", 2, 100] = 5
    freeze_base: Annotated[bool, "train attention alone while it is everywhere"] = True
    margin: Annotated[float, "what counts as no difference, in points of mAP50-95", 0, 100] = 0.5
    controls: Annotated[bool, "also train the next scale, and the base widened to the same time"] = True
    latency: Annotated[str, "a device's times, my-device.csv of yolo-attn latency; without it, this CPU's"] = ""
    ray: Annotated[str, "train on a Ray cluster: auto, or its address"] = ""
    gpus: Annotated[float, "of a GPU for each run on the cluster, such as 0.5", 0, 64] = 1.0
    project: Annotated[str, "the folder of searches"] = "runs/place"
    name: Annotated[str, "this search's folder; the base's name without it"] = ""
    arguments: Annotated[dict[str, str], "those of yolo train, such as imgsz=640 batch=16 device=0"] = field(
        default_factory=dict
    )
