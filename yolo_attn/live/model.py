"""A model file behind one interface, whatever runs it: `prepare` a frame, `infer`, `decode` to a `Result`.

The three steps run in three threads, so what a frame needs on its way travels in a `Work`.
"""

import dataclasses
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from yolo_attn.live import letterbox
from yolo_attn.live.gates import Gate
from yolo_attn.live.heads import Thresholds, check_layout, decode, is_finished
from yolo_attn.live.letterbox import GRAY, Geometry
from yolo_attn.live.metadata import Metadata
from yolo_attn.live.results import Frame, Result


class Buffers:
    """A network's input (1, 3, H, W), which is filled in place; a runtime adds its outputs and what binds the two."""

    def __init__(self, size: tuple[int, int], dtype):
        self.input = np.full((1, 3, *size), GRAY, dtype)
        self.outputs: list[np.ndarray] = []
        self.binding: Any = None
        self.where: Geometry | None = None  # where the last picture lay; around it is padding


@dataclass
class Work:
    """A frame on its way through a model."""

    frame: Frame
    where: Geometry
    buffers: Any = None


class Model(Protocol):
    """What the pipeline asks of a model."""

    names: dict[int, str]
    runs_on: str
    conf: float  # the least score of a detection; any thread may change it

    def prepare(self, frame: Frame) -> Work: ...

    def infer(self, work: Work) -> None: ...

    def decode(self, work: Work) -> Result: ...

    def release(self, work: Work) -> None: ...


class ExportedModel:
    """What the exported formats share: the letterbox before the network and the heads after it.

    Buffers are made when none is free and used again afterwards; the pipeline's queues bound how many there are. A
    subclass gives `allocate(size)` and `infer(work)`.
    """

    def __init__(self, metadata: Metadata, limits: Thresholds, dtype=np.float32):
        self.metadata, self.limits = metadata, limits
        self.names = metadata.names
        self._dtype = dtype
        self._free: dict[tuple[int, int], list[Buffers]] = {}

    @property
    def conf(self) -> float:
        return self.limits.conf

    @conf.setter
    def conf(self, conf: float) -> None:
        self.limits = dataclasses.replace(self.limits, conf=conf)

    def allocate(self, size: tuple[int, int]) -> Buffers:
        return Buffers(size, self._dtype)

    def infer(self, work: Work) -> None:
        raise NotImplementedError

    def warm_up(self) -> None:
        """Runs the network once on gray, so that the first frame does not pay for what is set up at the first run."""
        height, width = self.metadata.imgsz
        gray = Frame(np.full((height, width, 3), 114, np.uint8), 0, "", 0, 0.0, 0.0)
        work = self.prepare(gray)
        self.infer(work)
        heads, _ = self._split(work.buffers.outputs)
        self.metadata = dataclasses.replace(self.metadata, end2end=is_finished(heads, self.metadata))
        check_layout(heads, self.metadata)
        self.decode(work)

    def prepare(self, frame: Frame) -> Work:
        """Fits a frame into a free input."""
        model, shape = self.metadata, frame.image.shape[:2]
        if model.task == "classify":
            work = Work(frame, Geometry(shape, model.imgsz, model.imgsz, 0, 0))
        else:
            work = Work(frame, letterbox.letterbox(shape, model.imgsz, model.stride, model.dynamic))
        work.buffers = buffers = self._take(work.where.input)
        if model.task == "classify":
            letterbox.fill_crop(frame.image, buffers.input)
            return work
        if buffers.where != work.where:
            buffers.input.fill(GRAY)
            buffers.where = work.where
        letterbox.fill(frame.image, work.where, buffers.input)
        return work

    def decode(self, work: Work) -> Result:
        """Returns what the network found; its buffers are free again afterwards."""
        heads, gates = self._split(work.buffers.outputs)
        found = decode(heads, self.metadata, work.where, self.limits)
        shown = [
            Gate(layer, output[0, 0].astype(np.float32), work.where)
            for layer, output in zip(self.metadata.gates, gates, strict=True)
        ]
        self.release(work)
        return result_of(work.frame, self.names, gates=shown, **found)

    def _split(self, outputs: list[np.ndarray]) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Returns the outputs of the head, and those of the gates, which come last."""
        heads = len(outputs) - len(self.metadata.gates)
        return outputs[:heads], outputs[heads:]

    def release(self, work: Work) -> None:
        """Gives back the buffers of a frame that nobody waits for any more."""
        self._free[work.where.input].append(work.buffers)

    def _take(self, size: tuple[int, int]) -> Buffers:
        free = self._free.setdefault(size, [])
        return free.pop() if free else self.allocate(size)


def result_of(frame: Frame, names: dict[int, str], **found) -> Result:
    """Returns the `Result` of a frame."""
    return Result(
        frame.image, frame.source, frame.index, frame.number, frame.time, frame.captured, frame.file, names, **found
    )  # fmt: skip
