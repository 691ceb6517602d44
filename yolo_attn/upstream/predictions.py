"""What an exporter's model predicts before detections are selected from it, and the selection by itself."""

import contextlib
from collections.abc import Callable, Iterator

import torch
from torch import nn

from yolo_attn.upstream import releases


def selects(exporter) -> bool:
    """Tells whether the exported file selects from a map of predictions: by NMS, the best scores, or a class a pixel.

    RT-DETR does not: it selects inside of its decoder, and gives a list.
    """
    return not lists(exporter) and (releases.has_nms(exporter) or releases.end2end(exporter) or class_map(exporter))


def lists(exporter) -> bool:
    """Tells whether the model gives a list of detections and has no map of predictions."""
    return releases.head(exporter) == "RTDETRDecoder"


def class_map(exporter) -> bool:
    """Tells whether the model gives the number of a class for each pixel, `(N, H, W)`."""
    return releases.head(exporter) == "SemanticSegment" and len(exporter.output_shape) == 3


@contextlib.contextmanager
def unselected(exporter) -> Iterator[nn.Module]:
    """Lets the exporter's model give all that it predicts, `(N, values, …)`, in place of what it selects."""
    model = exporter.model.eval()  # torch's exporter puts back the mode that its wrapper came in, which is training's
    head, before = model.model[-1], dict(vars(model.model[-1]))
    if class_map(exporter):
        head.format = None  # other formats than ONNX have the scores
    elif selects(exporter) and not releases.has_nms(exporter):
        head.postprocess = lambda predictions, *settings: predictions.transpose(1, 2)
    try:
        yield model
    finally:
        vars(head).clear()
        vars(head).update(before)


def selection(exporter) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
    """Returns the function that selects as the exported file does, for images and what is predicted for them."""
    if class_map(exporter):
        classes = len(exporter.metadata["names"])
        return lambda images, scores: scores.argmax(1) if classes > 1 else scores.squeeze(1) > 0
    if not releases.has_nms(exporter):
        head = exporter.model.model[-1]
        return lambda images, predictions: releases.postprocess(head, predictions.transpose(1, 2))

    class Predicted(nn.Module):
        """A network whose predictions are known."""

        task, names = exporter.model.task, exporter.model.names
        predictions: torch.Tensor

        def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, None]:
            return self.predictions, None

    network = Predicted()

    def select(images: torch.Tensor, predictions: torch.Tensor) -> torch.Tensor:
        network.predictions = predictions
        outputs = releases.with_nms(network, exporter.args)(images)
        return outputs[0] if isinstance(outputs, tuple) else outputs

    return select
