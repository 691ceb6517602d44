"""A trained network run over some images of its training part by Ultralytics' own validator, its layers watched."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import DataLoader, Subset
from torch.utils.hooks import RemovableHandle
from ultralytics import YOLO

from yolo_attn.evidence.layers import network
from yolo_attn.evidence.quiet import quiet

IMAGES = 64


def run(model: YOLO, watch: Callable[[], list[RemovableHandle]], **arguments: Any) -> None:
    """Runs the network over at most 64 images, evenly out of the training part.

    Args:
        model: The model, whose network is kept from being fused (`layers.unfused`).
        watch: Hooks something onto the network, and is called when the first image is about to come.
        arguments: Those of `yolo val`.
    """
    stock: Any = model.task_map[str(model.task)]["validator"]

    class Sample(stock):
        """The task's validator on an even sample of the images, all of one size."""

        def __init__(self, **settings):
            super().__init__(save_dir=Path(folder), **settings)

        def get_dataloader(self, path, batch):
            self.args.rect = False  # a batch's images are not neighbours in the data set
            whole = super().get_dataloader(path, batch)
            count = len(whole.dataset)
            few = range(0, count, -(-count // IMAGES))
            return DataLoader(Subset(whole.dataset, few), batch, collate_fn=whole.collate_fn)

        def init_metrics(self, running):
            super().init_metrics(running)
            handles.extend(watch())

    handles: list[RemovableHandle] = []
    settings = {"plots": False, "save_json": False, "val": False, "rect": False, **arguments, "split": "train"}
    try:
        with tempfile.TemporaryDirectory() as folder, quiet(), torch.inference_mode():
            network(model).float().eval()
            model.val(validator=Sample, **settings)
    finally:
        for handle in handles:
            handle.remove()
