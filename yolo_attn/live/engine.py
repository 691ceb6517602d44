"""Models in TensorRT's `.engine` files as Ultralytics exports them: a JSON header, then the engine."""

import json
import math
from pathlib import Path

import numpy as np

from yolo_attn.errors import AttentionError
from yolo_attn.live import metadata
from yolo_attn.live.heads import Thresholds
from yolo_attn.live.model import Buffers, ExportedModel, Work


def split(raw: bytes) -> tuple[dict, bytes]:
    """Returns the header of an engine file, empty where it has none that can be read, and the engine."""
    length = int.from_bytes(raw[:4], "little")
    if not 0 < length < len(raw) - 4:
        return {}, raw
    try:
        header = json.loads(raw[4 : 4 + length])
    except ValueError:
        return {}, raw
    return (header, raw[4 + length :]) if isinstance(header, dict) else ({}, raw)


class EngineModel(ExportedModel):
    """An engine on one GPU, whose input and outputs lie in GPU memory that is allocated once; of a fixed shape."""

    def __init__(self, file: Path, device: str, limits: Thresholds):
        try:
            import tensorrt
            from cuda.bindings import runtime
        except ImportError as error:
            raise AttentionError(
                f"'{file}' needs TensorRT ({error}): pip install tensorrt cuda-python, or run the .onnx file"
            ) from None
        header, raw = split(file.read_bytes())
        model = metadata.read(header, file)
        if model.dynamic:
            raise AttentionError(f"'{file}' has a dynamic shape: export it with dynamic=False")
        self._cuda = runtime
        self._device = int(device.removeprefix("cuda:") or 0)
        self._call(runtime.cudaSetDevice, self._device)
        self._logger = tensorrt.Logger(tensorrt.Logger.ERROR)
        self._engine = tensorrt.Runtime(self._logger).deserialize_cuda_engine(raw)
        if self._engine is None:
            raise AttentionError(f"TensorRT {tensorrt.__version__} cannot load '{file}': export it on this machine")
        self._context = self._engine.create_execution_context()
        self._stream = self._call(runtime.cudaStreamCreate)
        names = [self._engine.get_tensor_name(i) for i in range(self._engine.num_io_tensors)]
        types = {name: np.dtype(tensorrt.nptype(self._engine.get_tensor_dtype(name))) for name in names}
        self._shapes = {name: tuple(self._engine.get_tensor_shape(name)) for name in names}
        self._memory = {
            name: self._call(runtime.cudaMalloc, math.prod(self._shapes[name]) * types[name].itemsize) for name in names
        }
        for name, address in self._memory.items():
            self._context.set_tensor_address(name, address)
        is_input = {name: self._engine.get_tensor_mode(name) == tensorrt.TensorIOMode.INPUT for name in names}
        self._input = next(name for name in names if is_input[name])
        self._outputs = {name: types[name] for name in names if not is_input[name]}
        self.runs_on = f"TensorRT {tensorrt.__version__}"
        super().__init__(model, limits, types[self._input])
        self.warm_up()

    def allocate(self, size: tuple[int, int]) -> Buffers:
        buffers = super().allocate(size)
        buffers.outputs = [np.empty(self._shapes[name], dtype) for name, dtype in self._outputs.items()]
        return buffers

    def infer(self, work: Work) -> None:
        """Runs the network on a prepared frame and waits for its outputs."""
        cuda, buffers = self._cuda, work.buffers
        self._call(cuda.cudaSetDevice, self._device)  # each thread has its own
        self._copy(
            self._memory[self._input],
            buffers.input.ctypes.data,
            buffers.input.nbytes,
            cuda.cudaMemcpyKind.cudaMemcpyHostToDevice,
        )
        self._context.execute_async_v3(int(self._stream))
        for name, array in zip(self._outputs, buffers.outputs, strict=True):
            self._copy(array.ctypes.data, self._memory[name], array.nbytes, cuda.cudaMemcpyKind.cudaMemcpyDeviceToHost)
        self._call(cuda.cudaStreamSynchronize, self._stream)

    def _copy(self, to: int, source: int, size: int, kind) -> None:
        self._call(self._cuda.cudaMemcpyAsync, to, source, size, kind, self._stream)

    def _call(self, function, *arguments):
        """Calls CUDA's runtime, whose functions return an error code and then their values."""
        code, *values = function(*arguments)
        if int(code):
            raise AttentionError(
                f"{function.__name__} failed with CUDA error {int(code)}: is the GPU free and its driver new enough?"
            )
        return values[0] if values else None
