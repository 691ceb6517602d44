"""Models in ONNX files, run by ONNX Runtime."""

import dataclasses
import math
from pathlib import Path

import numpy as np
import onnxruntime

from yolo_attn.errors import AttentionError
from yolo_attn.live import metadata, providers
from yolo_attn.live.given import NOTHING, Given
from yolo_attn.live.heads import Thresholds
from yolo_attn.live.model import Buffers, ExportedModel, Work

DTYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16}


class OnnxModel(ExportedModel):
    """An ONNX file on the best execution provider that starts here.

    Input and outputs are bound to memory of ours that is used again for later frames. Where the file leaves a length of
    an output open, whatever its metadata says, ONNX Runtime allocates the outputs anew for each frame.
    """

    def __init__(
        self, file: Path, imgsz: int | None, device: str, threads: int, limits: Thresholds, given: Given = NOTHING
    ):
        self._session, self.runs_on = providers.open_session(file, device, threads)
        entry = self._session.get_inputs()[0]
        said = metadata.filled(self._session.get_modelmeta().custom_metadata_map, given, entry.shape, imgsz, file)
        model = metadata.read(said, file)
        if imgsz and model.dynamic:
            side = math.ceil(imgsz / model.stride) * model.stride
            model = dataclasses.replace(model, imgsz=(side, side))
        elif imgsz and imgsz != max(model.imgsz):
            raise AttentionError(
                f"'{file}' has the fixed input {model.imgsz[0]}x{model.imgsz[1]}: leave imgsz out, or export the "
                f"model with imgsz={imgsz}"
            )
        self._input, self._outputs = entry.name, self._session.get_outputs()
        self._bound = all(isinstance(length, int) for output in self._outputs for length in output.shape)
        super().__init__(model, limits, DTYPES.get(entry.type, np.float32))
        try:
            self.warm_up()
        except AttentionError as error:
            raise AttentionError(f"'{file}': {error}") from None

    def allocate(self, size: tuple[int, int]) -> Buffers:
        buffers = super().allocate(size)
        buffers.binding = self._session.io_binding()
        value = onnxruntime.OrtValue.ortvalue_from_numpy(buffers.input)  # on the CPU a view, not a copy
        buffers.binding.bind_ortvalue_input(self._input, value)
        for output in self._outputs:
            if self._bound:
                array = np.empty(output.shape, DTYPES.get(output.type, np.float32))
                buffers.outputs.append(array)
                value = onnxruntime.OrtValue.ortvalue_from_numpy(array)
                buffers.binding.bind_ortvalue_output(output.name, value)
            else:
                buffers.binding.bind_output(output.name)
        return buffers

    def infer(self, work: Work) -> None:
        """Runs the network on a prepared frame."""
        buffers = work.buffers
        self._session.run_with_iobinding(buffers.binding)
        if not self._bound:
            buffers.outputs = buffers.binding.copy_outputs_to_cpu()
